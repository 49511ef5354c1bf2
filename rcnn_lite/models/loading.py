"""From a checkpoint file to the model that it describes."""

from pathlib import Path

from rcnn_lite.checkpoints import checkpoint_path, load_checkpoint
from rcnn_lite.models.fast_rcnn import FastRCNN
from rcnn_lite.models.faster_rcnn import FasterRCNN
from rcnn_lite.models.fpn_rcnn import FasterRCNNFPN, MaskRCNNFPN
from rcnn_lite.models.hog_detector import HOGDetector
from rcnn_lite.models.keypoint_rcnn import KeypointRCNN, KeypointRCNNFPN
from rcnn_lite.models.mask_rcnn import MaskRCNN
from rcnn_lite.models.rcnn import RCNN
from rcnn_lite.models.regression_only import RegressionOnly
from rcnn_lite.models.rpn_detector import RPNDetector
from rcnn_lite.models.sppnet import SPPNet
from rcnn_lite.models.torchvision_coco import PREFIX, load_torchvision

MODELS = {
    "rcnn": RCNN,
    "sppnet": SPPNet,
    "fast_rcnn": FastRCNN,
    "rpn": RPNDetector,
    "faster_rcnn": FasterRCNN,
    "faster_rcnn_fpn": FasterRCNNFPN,
    "mask_rcnn": MaskRCNN,
    "mask_rcnn_fpn": MaskRCNNFPN,
    "keypoint_rcnn": KeypointRCNN,
    "keypoint_rcnn_fpn": KeypointRCNNFPN,
    "hog": HOGDetector,
    "regression": RegressionOnly,
}


def load_model(checkpoint: str | Path, device: str = "cpu", **settings):
    """The model in a checkpoint: (model, metadata).

    Parameters
    ----------
    checkpoint : a file; the name of a checkpoint that ships with the project, such as "rcnn_scenes"; or
        "torchvision:NAME" for one that torchvision trained (see `torchvision_coco`).
    settings : values that replace those of the model's settings, such as regress=False.

    Raises
    ------
    ValueError : no such file, a damaged one, one of another program or without a known model, an unknown setting.
    RuntimeError : torchvision's weights cannot be fetched.
    """
    if str(checkpoint).startswith(PREFIX):
        if settings:
            raise ValueError(f"{checkpoint} has no setting {', '.join(settings)}")
        model, metadata = load_torchvision(str(checkpoint).removeprefix(PREFIX))
        return model.to(device), metadata
    path = checkpoint_path(checkpoint)
    tensors, metadata = load_checkpoint(path)
    if metadata.get("model") not in MODELS:
        raise ValueError(f"{path} holds no model of this package: its header names {metadata.get('model')!r}")
    try:
        description = metadata | {"settings": metadata["settings"] | settings}
        return MODELS[metadata["model"]].from_checkpoint(tensors, description).to(device), metadata
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} does not describe its model as this version does: {error}") from error
