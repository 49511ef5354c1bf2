"""How good is a detector? Average precision after VOC and after COCO, and how much of the world the proposals cover
(notebook 02).

Detections and targets are lists of dicts of tensors, one dict for each image, in the same order:

- a detection has ``boxes`` float (N, 4), ``labels`` int (N,), ``scores`` float (N,), for masks also ``masks``
  (N, 1, H, W) in [0, 1];
- a target has ``boxes`` float (M, 4), ``labels`` int (M,), and where they are known ``difficult`` bool (M,),
  ``iscrowd`` (M,), ``area`` float (M,), ``masks`` uint8 (M, H, W).

Every function here decides in the same order: which detection belongs to which object (image by image), then the curve
of precision over recall (all images together, best score first), then its area.
"""

from rcnn_lite.evaluation.coco import CocoCurves, coco_curves, evaluate_coco
from rcnn_lite.evaluation.curves import average_precision
from rcnn_lite.evaluation.errors import KINDS, kinds_of_detections
from rcnn_lite.evaluation.keypoints import evaluate_keypoints
from rcnn_lite.evaluation.proposals import best_overlaps, mean_average_best_overlap, proposal_recall
from rcnn_lite.evaluation.voc import evaluate_voc, precision_recall

__all__ = [
    "KINDS",
    "CocoCurves",
    "average_precision",
    "best_overlaps",
    "coco_curves",
    "evaluate_coco",
    "evaluate_keypoints",
    "evaluate_voc",
    "kinds_of_detections",
    "mean_average_best_overlap",
    "precision_recall",
    "proposal_recall",
]
