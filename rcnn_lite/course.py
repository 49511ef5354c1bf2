"""The course runner: executes the notebooks, renders them as pages, says which failed and how long each took.

``make course`` and ``rcnn-lite course`` come here. For every notebook, an executed copy goes to ``build/notebooks`` and
a page to ``build/html``; ``build/index.html`` lists them. A notebook that fails is rendered too, up to the failing
cell, and the others still run.
"""

import argparse
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from tqdm import tqdm
from traitlets import default

from rcnn_lite.cache import write_atomically
from rcnn_lite.pages import Outcome, index_page, render, title_of
from rcnn_lite.paths import REPOSITORY

INLINE = "module://matplotlib_inline.backend_inline"  # figures go into the notebook whatever the shell has set
ANSI = re.compile(r"\x1b\[[0-9;]*m")


class ThisPython(AsyncKernelManager):
    """A kernel of this process's interpreter, whatever the machine has registered under the same name."""

    @default("kernel_spec_manager")
    def _kernel_spec_manager_default(self) -> KernelSpecManager:
        return KernelSpecManager(parent=self, kernel_dirs=[])


def execute(
    notebook: nbformat.NotebookNode, folder: Path, timeout: int | None, on_cell: Callable[[], object]
) -> str | None:
    """Executes the cells in place, in order, in ``folder``; returns None, or a description of the cell that failed.

    All stored outputs are dropped first, so that what a failed notebook shows was computed now. ``on_cell()`` is called
    after each code cell; ``timeout`` is in seconds for one cell, None for no limit.
    """
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    notebook.metadata.pop("widgets", None)
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        kernel_manager_class=ThisPython,
        resources={"metadata": {"path": str(folder)}},
        timeout=timeout,
        startup_timeout=180,
        extra_arguments=["--log-level=CRITICAL"],  # cells report their errors; the kernel's own chatter tears the bar
        record_timing=False,
        store_widget_state=False,
    )
    number = 0
    try:
        with client.setup_kernel(env={**os.environ, "MPLBACKEND": INLINE}):
            for index, cell in enumerate(notebook.cells):
                if cell.cell_type == "code":
                    number += 1
                    client.execute_cell(cell, index, execution_count=number)
                    on_cell()
    except Exception as error:  # any failure of one notebook is reported, and the others still run
        return f"code cell {number}: {describe(error)}"
    return None


def describe(error: Exception) -> str:
    """The error as one would look it up: type and message, then the end of the cell's traceback without colours."""
    if hasattr(error, "ename"):
        lines = ANSI.sub("", error.traceback).strip().splitlines()
        return "\n".join([f"{error.ename}: {error.evalue}", *(f"    {line}" for line in lines[-12:])])
    return f"{type(error).__name__}: {str(error).strip()}"


def find_notebooks(folder: Path, wanted: Iterable[str] = ()) -> list[Path]:
    """The notebooks of a folder in order, or those whose names begin with one of ``wanted``.

    ``ValueError`` where there is none.
    """
    wanted = tuple(wanted)
    found = sorted(path for path in folder.glob("*.ipynb") if not wanted or path.name.startswith(wanted))
    if not found:
        named = f" whose name begins with {' or '.join(wanted)}" if wanted else ""
        raise ValueError(f"no notebook{named} in {folder}")
    return found


def run_notebook(path: Path, output: Path, names: list[str], timeout: int | None, bar: tqdm) -> Outcome:
    """Executes one notebook and writes its copy and its page; each file is written whole or not at all."""
    bar.set_description(path.stem)
    start = time.perf_counter()
    try:
        notebook = nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises what the damage happens to cause
        return Outcome(path.stem, path.stem, 0.0, f"cannot be read as a notebook: {describe(error)}")
    failure = execute(notebook, path.parent, timeout, bar.update)
    seconds = time.perf_counter() - start
    page = output / "html" / f"{path.stem}.html"
    text = render(notebook, path, page, names)
    write_atomically(output / "notebooks" / path.name, lambda file: nbformat.write(notebook, file))
    write_atomically(page, lambda file: file.write_text(text, encoding="utf-8"))
    return Outcome(path.stem, title_of(notebook, path.stem), seconds, failure)


def count_code_cells(path: Path) -> int:
    """The number of code cells, for the progress bar; 0 for a file that is no notebook (its turn reports it)."""
    try:
        return sum(cell.cell_type == "code" for cell in nbformat.read(path, as_version=4).cells)
    except Exception:  # nbformat raises what the damage happens to cause
        return 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of ``rcnn-lite course`` to a parser."""
    parser.add_argument(
        "names", nargs="*", help="only the notebooks whose names begin so, such as 00 01 (default: all)"
    )
    parser.add_argument("--notebooks", type=Path, default=REPOSITORY / "notebooks", help="folder of the notebooks")
    parser.add_argument(
        "--output", type=Path, default=REPOSITORY / "build", help="folder for the executed copies and pages"
    )
    parser.add_argument(
        "--timeout", type=int, default=0, help="longest time for one cell in seconds (default: no limit)"
    )


def run(args: argparse.Namespace) -> int:
    """Executes and renders the notebooks; returns 0: all ran, 1: one failed or none was found, 130: interrupted."""
    folder, output = args.notebooks.resolve(), args.output.resolve()
    try:
        paths = find_notebooks(folder, args.names)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    names = [path.stem for path in find_notebooks(folder)]
    mode = "TRAIN" if os.environ.get("RCNN_LITE_TRAIN") == "1" else "LECTURE"
    print(f"{len(paths)} notebooks in {mode} mode")
    outcomes = []
    try:
        with tqdm(total=sum(map(count_code_cells, paths)), unit="cell", dynamic_ncols=True) as bar:
            for path in paths:
                outcomes.append(run_notebook(path, output, names, args.timeout or None, bar))
        write_atomically(output / "index.html", lambda file: file.write_text(index_page(outcomes), encoding="utf-8"))
    except KeyboardInterrupt:
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # the interrupted cell's task has nothing more to say
        print(f"interrupted after {len(outcomes)} of {len(paths)} notebooks; nothing half-written is left behind")
        return 130
    report(outcomes, output)
    return int(any(outcome.failure is not None for outcome in outcomes))


def report(outcomes: list[Outcome], output: Path) -> None:
    """Prints the errors, the time of each notebook, and where to look."""
    for outcome in outcomes:
        if outcome.failure is not None:
            print(f"\n{outcome.name}.ipynb, {outcome.failure}")
    print()
    width = max(len(outcome.name) for outcome in outcomes)
    for outcome in outcomes:
        print(f"{outcome.name:<{width}}  {outcome.seconds:6.1f} s  {'ok' if outcome.failure is None else 'FAILED'}")
    print(f"{'together':<{width}}  {sum(outcome.seconds for outcome in outcomes):6.1f} s\n")
    print(f"pages:            {output / 'index.html'}")
    print(f"executed copies:  {output / 'notebooks'}")


def main(argv: list[str] | None = None) -> int:
    """The command ``python -m rcnn_lite.course``."""
    parser = argparse.ArgumentParser(
        prog="rcnn-lite course", description="Execute the notebooks and render them as pages."
    )
    add_arguments(parser)
    return run(parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
