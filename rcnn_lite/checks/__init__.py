"""Answer checkers for the exercises, one module a notebook, and the classic mistakes for the "break it" labs.

- `rcnn_lite.checks.harness`: what a check is, and how it looks for the smallest input on which an answer goes wrong.
- `rcnn_lite.checks.boxes` and its neighbours: the checks themselves. ``check_box_iou(box_iou)`` at the end of the
  learner's own cell prints one line, or raises `CheckFailed` with a short message.
- `rcnn_lite.checks.mistakes`: ``with mistake("plus_one_width"): ...``.
"""

from rcnn_lite.checks.harness import Case, CheckFailed, Exercise, Known, known

__all__ = ["Case", "CheckFailed", "Exercise", "Known", "known"]
