"""The whole R-CNN line, from selective search to Mask R-CNN, small enough to read.

The conventions that every module keeps:

- A **box** is a float32 row ``x1 y1 x2 y2`` in continuous pixels: ``x1`` is the left edge of the first column and
  ``x2`` the right edge of the last one, so a box around pixel (0, 0) alone is ``0 0 1 1``. Its width is ``x2 - x1``;
  there is no +1.
- An **image size** is ``(H, W)``; an **aspect ratio** is ``h / w``.
- An **image** is float32 ``(3, H, W)``, RGB in [0, 1], for networks, and uint8 ``(H, W, 3)``, RGB, for classical
  code. Models normalise inside.
- **Label** 0 is background, and ``num_classes`` counts it.
- An **IoU matrix** has a row for each box and a column for each ground truth.
- **Targets** and **detections** are dicts with torchvision's keys and shapes: ``boxes labels masks scores image_id
  iscrowd``. The masks of a target are uint8 ``(N, H, W)``, those of a detection float ``(N, 1, H, W)`` in [0, 1].
- An *anchor* is fixed; a *proposal* depends on the image; an *RoI* is a batch index and a box, a row of ``(R, 5)``; a
  *region feature* is what pooling makes of an RoI; a *delta* is ``t_x t_y t_w t_h``; a *detection* is what a model
  answers.
- Randomness is passed in (``generator=`` for torch, ``rng=`` for numpy), never global.
- Bad input raises ``ValueError`` with a sentence that names the culprit. Nothing to work on (no boxes, no ground
  truth, no proposals) is not bad input.
"""

__version__ = "0.1.0"
