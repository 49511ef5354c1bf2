"""The detectors that torchvision trained on COCO, run by our classes: ``torchvision:fasterrcnn_resnet50_fpn``, ...

Torchvision says where its weights are and what their classes are called; layers and numbers are ours (see
`torchvision_weights`). Files are kept in torch's own folder, where other programs find them too.
"""

import re
from pathlib import Path
from urllib.error import HTTPError, URLError

import torch
from torch import Tensor, nn

from rcnn_lite.models.backbone import build_backbone
from rcnn_lite.models.faster_rcnn import FasterRCNN, FasterRCNNSettings
from rcnn_lite.models.torchvision_weights import (
    TORCHVISION_FPN,
    TORCHVISION_KEYPOINTS_FPN,
    TORCHVISION_MASKS_FPN,
    from_torchvision,
)

PREFIX = "torchvision:"
WEIGHTS = {  # its name for the weights, and our settings
    "fasterrcnn_resnet50_fpn": ("FasterRCNN_ResNet50_FPN_Weights.COCO_V1", TORCHVISION_FPN),
    "maskrcnn_resnet50_fpn": ("MaskRCNN_ResNet50_FPN_Weights.COCO_V1", TORCHVISION_MASKS_FPN),
    "keypointrcnn_resnet50_fpn": ("KeypointRCNN_ResNet50_FPN_Weights.COCO_V1", TORCHVISION_KEYPOINTS_FPN),
}
EPSILON = 0.0  # of batch normalisation: these weights were trained without one, before torchvision had it
RENAMED = (  # the files are of 2019; torchvision's layers were renamed since
    (r"^(backbone\.fpn\.(?:inner|layer)_blocks\.\d)\.(weight|bias)$", r"\1.0.\2"),
    (r"^(rpn\.head\.conv)\.(weight|bias)$", r"\1.0.0.\2"),
)
RENAMED_MASK_LAYER = r"^roi_heads\.mask_head\.mask_fcn(\d)\.(weight|bias)$"


def load_torchvision(name: str) -> tuple[FasterRCNN, dict]:
    """The detector of that name with its weights, fetched once: (model, metadata) as `loading.load_model`.

    ValueError for a name that is not in `WEIGHTS`; RuntimeError that says what to do where the file cannot be fetched.
    """
    if name not in WEIGHTS:
        raise ValueError(f"of torchvision's detectors there are {', '.join(WEIGHTS)}; got {name!r}")
    weights = torchvision_weights(name)
    try:
        state = weights.get_state_dict(progress=True, check_hash=True, map_location="cpu", weights_only=True)
    except (URLError, HTTPError, TimeoutError, ConnectionError) as error:
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        raise RuntimeError(
            f"torchvision's weights of {name} could not be fetched ({error}): run this once with a network, or put "
            f"{weights.url} into {folder}"
        ) from error
    classes = ("background", *weights.meta["categories"][1:])
    model = detector(state, classes, WEIGHTS[name][1])
    return model, {"model": model.model, "classes": list(classes), "picture_side": model.settings.short_side}


def torchvision_weights(name: str):
    """Torchvision's entry for the weights: ``url`` and ``meta``."""
    from torchvision.models import get_weight

    return get_weight(WEIGHTS[name][0])


def detector(state: dict[str, Tensor], classes: tuple[str, ...], settings: FasterRCNNSettings) -> FasterRCNN:
    """Our detector with the tensors of one of these files, by the names of 2019 or today's."""
    backbone = build_backbone("resnet50", pretrained=False)
    for layer in backbone.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eps = EPSILON
    return from_torchvision({renamed(key): value for key, value in state.items()}, backbone, classes, settings)


def renamed(key: str) -> str:
    """Today's name of a tensor.

    >>> renamed("rpn.head.conv.bias"), renamed("roi_heads.mask_head.mask_fcn2.weight")
    ('rpn.head.conv.0.0.bias', 'roi_heads.mask_head.1.0.weight')
    """
    for before, after in RENAMED:
        key = re.sub(before, after, key)
    return re.sub(RENAMED_MASK_LAYER, lambda m: f"roi_heads.mask_head.{int(m[1]) - 1}.0.{m[2]}", key)
