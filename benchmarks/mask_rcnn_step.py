"""Mask R-CNN against torchvision's `MaskRCNN`: seconds of a picture and of a training step, peak memory of both.

    python benchmarks/mask_rcnn_step.py

Both have the same backbone with the same stages frozen, the same weights, sizes of pictures, anchors, counts before and
after NMS, thresholds, numbers of regions and heads, and pool by torchvision's RoIAlign; in the first rows on one map,
in the others on a feature pyramid. Masks are learned and pasted as torchvision does it. That they do the same work is
checked before the clock runs: they find the same boxes, and masks that differ in next to no pixel.
"""

import argparse
import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from faster_rcnn_step import IMAGES, NAMES, THREADS, Body, numbers, stepping
from harness import compare, write_table
from memory import peak
from torch import Generator, Tensor, nn
from torchvision.models.detection import MaskRCNN as TorchvisionMaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from rcnn_lite.datasets.scenes import Scenes
from rcnn_lite.models.backbone import build_backbone
from rcnn_lite.models.fpn_rcnn import OnPyramid
from rcnn_lite.models.loading import load_model
from rcnn_lite.models.mask_rcnn import MaskRCNN

SIDE = 512
CHECKPOINTS = {"one map": "mask_rcnn_scenes", "pyramid": "mask_rcnn_fpn_scenes"}
SAME = 1e-3  # of the pixels may be on the other side of one half


class PyramidBody(nn.Module):
    """Our shared convolutions with torchvision's pyramid on the stages from stride 4 on, our weights in both."""

    def __init__(self, ours: OnPyramid):
        super().__init__()
        self.body, self.first = copy.deepcopy(ours.backbone), len(ours.backbone.strides) - len(ours.strides)
        self.out_channels = ours.channels
        self.fpn = FeaturePyramidNetwork(self.body.channels[self.first :], self.out_channels, LastLevelMaxPool())
        self.fpn.load_state_dict(ours.pyramid.state_dict())

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        maps = self.body(images.contiguous(memory_format=torch.channels_last))
        return self.fpn({str(i): level for i, level in enumerate(maps[self.first :])})


class MaskPeer(TorchvisionMaskRCNN):
    """Torchvision's model with the weights and the numbers of ours."""

    def __init__(self, ours: MaskRCNN):
        settings, rpn, mask = ours.settings, ours.settings.rpn, ours.settings.mask
        pyramid = isinstance(ours, OnPyramid)
        strides = ours.rpn.stride if pyramid else (ours.rpn.stride,)
        cells = ours.rpn.cell_anchors if pyramid else ours.rpn.cell_anchors[None]  # (levels, anchors, 4)
        sizes = [(size,) for size in rpn.anchor_sizes] if pyramid else [rpn.anchor_sizes]
        anchors = AnchorGenerator(sizes, [rpn.aspect_ratios] * len(sizes))
        anchors.cell_anchors = [c + rpn.anchor_offset * stride for c, stride in zip(cells, strides, strict=True)]
        names = [str(i) for i in range(len(ours.strides))] if pyramid else ["0"]
        levels = {}
        if pyramid:
            levels = {"canonical_scale": settings.pyramid.canonical, "canonical_level": settings.pyramid.k0}
        super().__init__(
            PyramidBody(ours) if pyramid else Body(copy.deepcopy(ours.backbone)),
            rpn_anchor_generator=anchors,
            box_roi_pool=MultiScaleRoIAlign(names, settings.heads.bins, 2, **levels),
            mask_roi_pool=MultiScaleRoIAlign(names, mask.bins, 2, **levels),
            mask_head=MaskRCNNHeads(ours.channels, [mask.width] * mask.convolutions, 1),
            mask_predictor=MaskRCNNPredictor(mask.width, mask.width, len(ours.classes)),
            **numbers(ours),
        )
        self.rpn.min_size = rpn.min_size
        self.rpn.load_state_dict(ours.rpn.state_dict())
        self.roi_heads.load_state_dict(ours.roi_heads.state_dict() | ours.mask_branch.state_dict())

    def losses(self, images: list[Tensor], targets: list[dict], generator: Generator) -> dict[str, Tensor]:
        """As ours; torchvision draws from torch's own generator."""
        torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))
        return self(images, targets)

    @torch.inference_mode()
    def detect(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
        return self(images)


def both(checkpoint: str, side: int) -> dict[str, nn.Module]:
    """Ours and the peer, trained, for pictures of one size."""
    model = load_model(checkpoint)[0]
    changed = {"training_sides": (side,), "short_side": side, "pooling": "roi_align_unaligned", "aligned_masks": False}
    ours = type(model)(build_backbone(model.backbone.name), model.classes, replace(model.settings, **changed))
    ours.load_state_dict(model.state_dict())
    return {"ours": ours.eval(), "peer": MaskPeer(ours).eval()}


def detecting(checkpoint: str, side: int) -> tuple[Callable[[], object], ...]:
    """Detection in one scene by each, once it is known that they find the same."""
    torch.set_num_threads(THREADS)
    image, models = Scenes("test")[0][0], both(checkpoint, side)
    ours, peer = (model.detect([image])[0] for model in models.values())
    for key in ("boxes", "labels", "scores"):
        torch.testing.assert_close(ours[key], peer[key], rtol=0, atol=1e-2)
    assert ((ours["masks"] > 0.5) != (peer["masks"] > 0.5)).float().mean() < SAME
    return tuple(partial(model.detect, [image]) for model in models.values())


def detection_of(checkpoint: str, side: int, name: str) -> Callable[[], object]:
    """Detection by one of the two, called once already."""
    torch.set_num_threads(THREADS)
    model, image = both(checkpoint, side)[name], Scenes("test")[0][0]
    model.detect([image])
    return partial(model.detect, [image])


def step_of(checkpoint: str, side: int, name: str) -> Callable[[], object]:
    """A training step of one of the two, called once already."""
    torch.set_num_threads(THREADS)
    return stepping(both(checkpoint, side)[name])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoints", nargs=2, default=list(CHECKPOINTS.values()), help="one map, pyramid")
    parser.add_argument("--repeats", type=int, default=15, help="pairs of timings (default: %(default)s)")
    parser.add_argument("--name", default="mask_rcnn_step", help="of the table (default: %(default)s)")
    args = parser.parse_args()
    torch.set_num_threads(THREADS)
    rows, memory = [], ["| peak memory, MB | ours | peer | ratio |", "|---|---:|---:|---:|"]
    for maps, checkpoint in zip(CHECKPOINTS, args.checkpoints, strict=True):
        case = f"{SIDE} x {SIDE}, {maps}"
        rows.append(compare(f"detection, {case}", *detecting(checkpoint, SIDE), args.repeats, 2))
        steps = [step_of(checkpoint, SIDE, name) for name in NAMES]
        rows.append(compare(f"training step, {IMAGES} pictures of {case}", *steps, args.repeats, 2))
        for what, prepare in ((f"detection, {case}", detection_of), (f"training step, {case}", step_of)):
            ours, peer = (peak(partial(prepare, checkpoint, SIDE, name)) / 1e6 for name in NAMES)
            memory.append(f"| {what} | {ours:.0f} | {peer:.0f} | **{ours / peer:.2f}** |")
    note = ["Peer: torchvision's `MaskRCNN` with the same backbone, weights, anchors, counts and thresholds.", ""]
    write_table(args.name, "Mask R-CNN: detection, training step", rows, "\n".join([*note, *memory]))


if __name__ == "__main__":
    main()
