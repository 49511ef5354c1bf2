"""The command ``python -m book``: renders the book into build/book, or into the folder that is named."""

import argparse
import sys
import time
from pathlib import Path

from book import REPOSITORY
from book.render import render

parser = argparse.ArgumentParser(prog="python -m book", description="Render notebooks and package as a book.")
parser.add_argument("--output", type=Path, default=REPOSITORY / "build" / "book", help="folder of the pages")
start, output = time.perf_counter(), parser.parse_args().output.resolve()
try:
    render(output)
except ValueError as error:
    sys.exit(str(error))
print(f"the book, made in {time.perf_counter() - start:.0f} s: {output / 'index.html'}")
