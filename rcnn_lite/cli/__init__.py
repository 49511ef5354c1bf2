"""The command `rcnn-lite`: train a detector, find objects in pictures, measure a detector, run the course.

Each command is a module here, loaded when it is called: `--help` loads nothing.
"""

import shlex
import sys
from collections.abc import Sequence

from rcnn_lite.cli.options import MODELS, build_parser

__all__ = ["MODELS", "build_parser", "main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line (default: this process's) and return its exit status: 0 done, 1 failed, 130 interrupted."""
    args = build_parser().parse_args(argv)
    args.command_line = "rcnn-lite " + shlex.join(sys.argv[1:] if argv is None else argv)
    try:
        return args.run(args)
    except (ValueError, RuntimeError, OSError) as error:
        print(f"rcnn-lite: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("rcnn-lite: interrupted; the same command goes on from the last stage that was finished", file=sys.stderr)
        return 130
