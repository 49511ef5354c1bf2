"""``make release``: all editions for teaching, made from the notebooks; ``build/release/README.md`` is their guide.

``course/``      a course folder for nbgrader: the student edition in its ``release/``, ready to grade what comes back
``selfstudy/``   the student edition for who learns alone: not graded, each solution folded below its exercise
``instructor/``  solved notebooks with timing plans, speaker notes and expected misconceptions
``slides/``      one slide show a notebook
"""

import argparse
import sys
from pathlib import Path

import nbformat

from rcnn_lite.cache import write_atomically
from rcnn_lite.course import find_notebooks
from rcnn_lite.paths import REPOSITORY
from rcnn_lite.teaching.guide import guide
from rcnn_lite.teaching.instructor import instructor_edition
from rcnn_lite.teaching.prove import prove
from rcnn_lite.teaching.slides import copy_reveal, render_slides
from rcnn_lite.teaching.student import release, self_study, write_course


def write_text(path: Path, text: str) -> None:
    """A text file, written whole or not at all."""
    write_atomically(path, lambda file: file.write_text(text, encoding="utf-8"))


def write_students(paths: list[Path], names: list[str], output: Path) -> None:
    """nbgrader's course folder with the student edition, and the self-study edition made of it."""
    write_course(paths, names, output / "course")
    for path, released in zip(paths, release([path.stem for path in paths], output / "course"), strict=True):
        student, source = (nbformat.read(file, as_version=4) for file in (released, path))
        edition = self_study(student, source)
        write_atomically(output / "selfstudy" / path.name, lambda file, edition=edition: nbformat.write(edition, file))


def write_instructor(paths: list[Path], folder: Path) -> None:
    """The instructor edition of each notebook."""
    for path in paths:
        edition = instructor_edition(nbformat.read(path, as_version=4))
        write_atomically(folder / path.name, lambda file, edition=edition: nbformat.write(edition, file))


def write_slides(paths: list[Path], folder: Path) -> None:
    """The slides of each notebook, and reveal.js beside them."""
    copy_reveal(folder)
    for path in paths:
        write_text(folder / f"{path.stem}.slides.html", render_slides(nbformat.read(path, as_version=4), path.stem))


def main(argv: list[str] | None = None) -> int:
    """Write the editions; returns 0, or 1 where no notebook was found, nbgrader refused one, or a proof failed."""
    parser = argparse.ArgumentParser(prog="python -m rcnn_lite.teaching", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="only the notebooks whose names begin so (default: all)")
    parser.add_argument("--notebooks", type=Path, default=REPOSITORY / "notebooks", help="folder of the notebooks")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "build" / "release", help="where to write")
    parser.add_argument("--only", choices=["course", "instructor", "slides"], help="one edition (default: all)")
    parser.add_argument(
        "--prove",
        action="store_true",
        help="run every student notebook, with stubs and with solutions, and say what fails (minutes)",
    )
    args = parser.parse_args(argv)
    output, source, wanted = args.output.resolve(), args.notebooks.resolve(), args.only
    try:
        paths = find_notebooks(source, args.names)
        if wanted in (None, "course"):
            write_students(paths, [path.stem for path in find_notebooks(source)], output)
        if wanted in (None, "instructor"):
            write_instructor(paths, output / "instructor")
        if wanted in (None, "slides"):
            write_slides(paths, output / "slides")
        write_text(output / "README.md", guide(paths[0].stem))
    except (ValueError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{wanted or 'all editions'} of {len(paths)} notebooks: see {output / 'README.md'}")
    return prove(paths, output / "course" / "release") if args.prove else 0


if __name__ == "__main__":
    sys.exit(main())
