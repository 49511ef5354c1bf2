"""Slow, plain versions that the package is compared with: loops over numbers, no shared code with rcnn_lite."""
