"""For every test run in this repository, and for the kernels that nbval starts: sliders are tried at their ends too."""

import os

os.environ.setdefault("RCNN_LITE_TRY_SLIDERS", "1")
