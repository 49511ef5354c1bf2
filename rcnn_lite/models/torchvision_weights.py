"""A detector that torchvision trained, run by ours: the mapping of its weights and numbers, written once.

The layers of RPN and heads have torchvision's names, but for where they hang. Of the backbone only the order is the
same, from the stem on, so its tensors are taken in order.
"""

import math
from dataclasses import asdict, replace

from torch import Tensor

from rcnn_lite.heads.keypoint_head import KeypointHeadSettings
from rcnn_lite.heads.mask_head import MaskHeadSettings
from rcnn_lite.heads.roi_heads import RoIHeadSettings
from rcnn_lite.models.backbone import Backbone
from rcnn_lite.models.faster_rcnn import FasterRCNN, FasterRCNNSettings
from rcnn_lite.models.fpn_rcnn import (
    FasterRCNNFPN,
    FasterRCNNFPNSettings,
    MaskRCNNFPN,
    MaskRCNNFPNSettings,
    PyramidSettings,
)
from rcnn_lite.models.keypoint_rcnn import (
    KeypointRCNN,
    KeypointRCNNFPN,
    KeypointRCNNFPNSettings,
    KeypointRCNNSettings,
)
from rcnn_lite.models.mask_rcnn import MaskRCNN, MaskRCNNSettings
from rcnn_lite.proposals.rpn import ProposalCounts, RPNSettings

KINDS = (FasterRCNN, FasterRCNNFPN, MaskRCNN, MaskRCNNFPN, KeypointRCNN, KeypointRCNNFPN)
OURS = {  # where torchvision's layers hang, and ours
    "backbone.fpn.": "pyramid.",
    "roi_heads.mask_": "mask_branch.mask_",
    "roi_heads.keypoint_": "keypoint_branch.keypoint_",
}
COUNTER = "num_batches_tracked"  # of batch normalisation: how often it was renewed, of no use here

# Where torchvision differs from the paper: anchors lie at the cells' corners and count beyond the border; smooth L1 has
# a narrower parabola; negatives may overlap nothing; regions are aligned, half a cell off. Its RPN divides both terms
# of the loss by the number of anchors drawn: lambda = N_reg / N_cls, which depends on the size of the map.
TORCHVISION = FasterRCNNSettings(
    training_sides=(800,),
    short_side=800,
    long_side=1333,
    pooling="roi_align_unaligned",
    rpn=RPNSettings(
        anchor_sizes=(32.0, 64.0, 128.0, 256.0, 512.0),
        anchor_offset=0.0,
        border=math.inf,
        beta=1 / 9,
        min_size=1e-3,
        training=ProposalCounts(2000, 2000),
        testing=ProposalCounts(1000, 1000),
    ),
    heads=RoIHeadSettings(
        width=1024, rois_per_image=512, background_iou=(0.0, 0.5), beta=1 / 9, score_threshold=0.05, nms_iou=0.5
    ),
)


def extended(settings: FasterRCNNSettings, kind: type, **more):
    """Settings of another `kind`, one that has more: `more`, and all others as they are in `settings`."""
    return kind(**{name: getattr(settings, name) for name in asdict(settings)} | more)


PYRAMID = {"stride": 32, "pyramid": PyramidSettings(width=256, canonical=224.0)}
TORCHVISION_FPN = extended(TORCHVISION, FasterRCNNFPNSettings, **PYRAMID)
TORCHVISION_MASKS = extended(TORCHVISION, MaskRCNNSettings, mask=MaskHeadSettings(width=256), aligned_masks=False)
TORCHVISION_KEYPOINTS = extended(
    TORCHVISION, KeypointRCNNSettings, keypoint=KeypointHeadSettings(convolutions=8, width=512), shrink=True
)
TORCHVISION_KEYPOINTS_FPN = extended(TORCHVISION_KEYPOINTS, KeypointRCNNFPNSettings, **PYRAMID)
TORCHVISION_MASKS_FPN = extended(TORCHVISION_MASKS, MaskRCNNFPNSettings, **PYRAMID)


def from_torchvision(
    state: dict[str, Tensor],
    backbone: Backbone,
    classes: tuple[str, ...],
    settings: FasterRCNNSettings = TORCHVISION,
) -> FasterRCNN:
    """Our detector with the weights of torchvision's.

    Parameters
    ----------
    state : ``state_dict()`` of a torchvision ``FasterRCNN``, ``MaskRCNN`` or ``KeypointRCNN`` whose backbone is
        the network of `backbone`, up to the stage that is shared, with a feature pyramid or without.
    backbone : gives the structure; its own weights are replaced.
    classes : K names, "background" first.
    settings : anchors, counts and thresholds that torchvision's model had: ``TORCHVISION``, ``TORCHVISION_MASKS`` or
        ``TORCHVISION_KEYPOINTS``, with ``_FPN`` or without, perhaps changed. Their class decides what it will be.

    ValueError that names the first tensor in which the two differ.
    """
    state = {_our_name(name): value for name, value in state.items()}
    shared = backbone.trunk(sum(stride <= settings.stride for stride in backbone.strides))
    body = {k: v for k, v in state.items() if k.startswith("backbone.") and not k.endswith(COUNTER)}
    ours = {k: v for k, v in shared.state_dict().items() if not k.endswith(COUNTER)}
    _require_same_shapes([*body.items()], [*ours.items()])
    shared.load_state_dict(dict(zip(ours, body.values(), strict=True)), strict=False)
    kind = {kind.Settings: kind for kind in KINDS}[type(settings)]
    model = kind(shared, classes, replace(settings, frozen_stages=0))
    layers = {k: v for k, v in state.items() if not k.startswith("backbone.")}
    own = {k: v for k, v in model.state_dict().items() if not k.startswith("backbone.")}
    if other := sorted(layers.keys() ^ own.keys()):
        raise ValueError(f"only {'ours' if other[0] in own else 'the given weights'} have {other[0]}")
    _require_same_shapes(sorted(layers.items()), sorted(own.items()))
    model.load_state_dict(layers, strict=False)
    model.rpn.cell_anchors.round_()  # as torchvision does
    return model.eval()


def _our_name(name: str) -> str:
    for theirs, ours in OURS.items():
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    return name


def _require_same_shapes(theirs: list[tuple[str, Tensor]], ours: list[tuple[str, Tensor]]) -> None:
    if len(theirs) != len(ours):
        raise ValueError(f"the backbone has {len(theirs)} tensors where ours has {len(ours)}")
    for (name, value), (own, expected) in zip(theirs, ours, strict=True):
        if value.shape != expected.shape:
            raise ValueError(f"{name} has shape {tuple(value.shape)}, our {own} {tuple(expected.shape)}")
