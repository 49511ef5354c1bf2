"""``make release``: all editions for teaching, from the notebooks into ``build/release``.

``course/``       a course folder for nbgrader: the student edition in its ``release/``, ready to grade what comes back
"""

import argparse
import sys
from pathlib import Path

from rcnn_lite.course import find_notebooks
from rcnn_lite.paths import REPOSITORY
from rcnn_lite.teaching.student import release, write_course


def main(argv: list[str] | None = None) -> int:
    """Write the editions; returns 0, or 1 where no notebook was found or nbgrader refused one."""
    parser = argparse.ArgumentParser(prog="python -m rcnn_lite.teaching", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="only the notebooks whose names begin so (default: all)")
    parser.add_argument("--notebooks", type=Path, default=REPOSITORY / "notebooks", help="folder of the notebooks")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "build" / "release", help="where to write")
    args = parser.parse_args(argv)
    output = args.output.resolve()
    try:
        paths = find_notebooks(args.notebooks.resolve(), args.names)
        names = [path.stem for path in find_notebooks(args.notebooks.resolve())]
        write_course(paths, names, output / "course")
        release([path.stem for path in paths], output / "course")
    except (ValueError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"student edition of {len(paths)} notebooks:  {output / 'course' / 'release'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
