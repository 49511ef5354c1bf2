"""A training step of Fast R-CNN against torchvision's `RoIHeads` on the same backbone, pictures and proposals.

Both freeze the same stages, draw 64 regions a picture, pool 7 x 7 bins by RoI pooling, have heads of the same width,
and take a step of AdamW. Peak memory is that of a step, and of RoI pooling alone, each in a process of its own.
"""

import copy
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
import torchvision
from harness import compare, write_table
from memory import peak
from roi_operators import OPERATORS, SIZES, forward_backward, made_input
from torch import Tensor, nn
from torchvision.models.detection import faster_rcnn
from torchvision.models.detection.roi_heads import RoIHeads

from rcnn_lite.datasets.scenes import Scenes
from rcnn_lite.images import resize
from rcnn_lite.models.backbone import build_backbone
from rcnn_lite.models.fast_rcnn import FastRCNN, FastRCNNSettings
from rcnn_lite.proposals.stored import propose_all

THREADS, SIDE, IMAGES = 2, 384, 2
NAMES = ("ours", "peer")
PROPOSALS = Path("build/benchmarks/fast_rcnn_step.safetensors")


class Peer(nn.Module):
    """torchvision's second stage on our backbone: what it needs around it is its own way of doing things, a batch."""

    def __init__(self, backbone: nn.Module, classes: int, settings):
        super().__init__()
        self.backbone, scale = backbone, 1 / backbone.strides[-1]
        pool = lambda maps, boxes, _: torchvision.ops.roi_pool(maps["0"], boxes, settings.bins, scale)  # noqa: E731
        head = faster_rcnn.TwoMLPHead(backbone.channels[-1] * settings.bins**2, settings.width)
        predictor = faster_rcnn.FastRCNNPredictor(settings.width, classes)
        sampling = (settings.positive_iou, settings.positive_iou, settings.rois_per_image, settings.positive_fraction)
        self.roi_heads = RoIHeads(None, head, predictor, *sampling, None, 0.05, 0.3, 100)
        self.roi_heads.box_roi_pool = pool

    def losses(self, images: list[Tensor], targets: list[dict], proposals: list[Tensor]) -> dict[str, Tensor]:
        batch = torch.stack(images).contiguous(memory_format=torch.channels_last)
        maps = {"0": self.backbone(batch)[-1]}
        return self.roi_heads(maps, proposals, [tuple(i.shape[1:]) for i in images], targets)[1]


def models() -> dict[str, nn.Module]:
    """Both, with the same backbone and the same stages frozen."""
    settings = FastRCNNSettings(training_sides=(SIDE,), short_sides=(SIDE,))
    ours = FastRCNN(build_backbone("lite0"), Scenes("train", n=IMAGES).classes, settings).train()
    return {"ours": ours, "peer": Peer(copy.deepcopy(ours.backbone), len(ours.classes), settings.heads).train()}


def batch(model: FastRCNN) -> tuple[list[Tensor], list[dict], list[Tensor]]:
    """Two scenes at the size that the network sees, with their objects and proposals in its pixels."""
    data = Scenes("train", n=IMAGES)
    found = propose_all(lambda i, image: model.propose(image), data, PROPOSALS)
    factor = SIDE / 256
    targets = [{"boxes": data[i][1]["boxes"] * factor, "labels": data[i][1]["labels"]} for i in range(IMAGES)]
    return [resize(data[i][0], SIDE) for i in range(IMAGES)], targets, [boxes * factor for boxes in found]


def step_of(name: str) -> Callable[[], object]:
    """A training step, called once already."""
    torch.set_num_threads(THREADS)
    both = models()
    given, model = batch(both["ours"]), both[name]
    learnt = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(learnt, lr=1e-5)

    def step() -> None:
        losses = model.losses(*given)
        optimiser.zero_grad()
        sum(losses.values()).backward()
        optimiser.step()

    step()
    return step


def pooling_of(which: int, size: tuple[int, int, int, int]) -> Callable[[], object]:
    """RoI pooling, forward and backward; what compiles has been compiled on a small map."""
    torch.set_num_threads(THREADS)
    pool = OPERATORS["RoI pooling"][which]
    forward_backward(pool, *made_input(8, 5, 5, 3))
    return partial(forward_backward, pool, *made_input(*size))


def main() -> None:
    torch.set_num_threads(THREADS)
    ours, peer = (step_of(name) for name in NAMES)
    rows = [compare(f"training step, {IMAGES} pictures of {SIDE} x {SIDE}, ~1,000 proposals each", ours, peer, 25, 3)]
    lines = [
        "Peer: torchvision's `RoIHeads` with `torchvision.ops.roi_pool`.",
        "",
        "Peak memory, MB (ours, peer, ratio):",
        "",
    ]
    cases = {"training step": [partial(step_of, name) for name in NAMES]}
    for size in SIZES:
        cases[f"RoI pooling, forward + backward, {size}"] = [partial(pooling_of, which, size) for which in (0, 1)]
    for name, pair in cases.items():
        used = [peak(prepare) / 1e6 for prepare in pair]
        lines.append(f"- {name}: {used[0]:.0f}, {used[1]:.0f}, **{used[0] / used[1]:.2f}**")
    write_table("fast_rcnn_step", "A training step of Fast R-CNN", rows, "\n".join(lines))


if __name__ == "__main__":
    main()
