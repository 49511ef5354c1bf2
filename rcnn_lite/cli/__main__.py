"""`python -m rcnn_lite.cli`: the same as `rcnn-lite`."""

import sys

from rcnn_lite.cli import main

if __name__ == "__main__":
    sys.exit(main())
