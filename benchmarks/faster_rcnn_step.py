"""Faster R-CNN against torchvision's `FasterRCNN`: seconds of a picture and of a training step, accuracy after the same
time of training.

    python benchmarks/faster_rcnn_step.py
    python benchmarks/faster_rcnn_step.py --train 300

Both have the same backbone with the same stages frozen, the same weights, sizes of pictures, anchors, counts before and
after NMS, thresholds, numbers of regions and heads, and pool by the same rule: RoI pooling in some rows, torchvision's
own RoIAlign in others. That they do the same work is checked before the clock runs: their detections are equal. With
--train both are trained from nothing by the loop of `rcnn_lite.training`, the peer for about so many processor seconds
of all threads, ours for no more than that took, and measured on the test scenes; the figures are kept for the next
table.
"""

import argparse
import copy
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
import torchvision
from harness import compare, write_table
from memory import peak
from rcnn_parts import scores
from resampling import interval
from torch import Generator, Tensor, nn
from torchvision.models.detection import FasterRCNN as TorchvisionFasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.ops import MultiScaleRoIAlign

from rcnn_lite.cache import write_atomically
from rcnn_lite.datasets.scenes import Scenes
from rcnn_lite.models.backbone import build_backbone
from rcnn_lite.models.faster_rcnn import FasterRCNN, FasterRCNNSettings
from rcnn_lite.models.loading import load_model
from rcnn_lite.training import FitSettings, Schedule, fit

THREADS, IMAGES = 2, 2  # pictures of a training step
NAMES = ("ours", "peer")
POOLINGS = {"RoI pooling": "roi_pool", "RoIAlign": "roi_align_unaligned"}
TRAINED = Path("build/benchmarks/faster_rcnn_step.json")
TRIAL = 40  # batches that tell how long one takes
MARGIN = 0.9  # of the peer's time is what ours is planned to take: what is measured must not be more


class Body(nn.Module):
    """Our shared convolutions, as torchvision wants them."""

    def __init__(self, backbone: nn.Module):
        super().__init__()
        self.body, self.out_channels = backbone, backbone.channels[-1]

    def forward(self, images: Tensor) -> Tensor:
        return self.body(images.contiguous(memory_format=torch.channels_last))[-1]


class RoIPool(MultiScaleRoIAlign):
    """RoI pooling on one map in the place of torchvision's usual RoIAlign."""

    def forward(self, maps: dict[str, Tensor], boxes: list[Tensor], image_shapes: list) -> Tensor:
        return torchvision.ops.roi_pool(maps["0"], boxes, self.output_size, 1 / self.stride)


def numbers(ours: FasterRCNN) -> dict:
    """Those of ours as torchvision calls them."""
    settings, rpn, heads = ours.settings, ours.settings.rpn, ours.settings.heads
    return {
        "min_size": settings.short_side,
        "max_size": settings.long_side,
        "image_mean": [0.0] * 3,  # the backbone does it
        "image_std": [1.0] * 3,
        "rpn_pre_nms_top_n_train": rpn.training.before_nms,
        "rpn_post_nms_top_n_train": rpn.training.after_nms,
        "rpn_pre_nms_top_n_test": rpn.testing.before_nms,
        "rpn_post_nms_top_n_test": rpn.testing.after_nms,
        "rpn_nms_thresh": rpn.nms_iou,
        "rpn_fg_iou_thresh": rpn.positive_iou,
        "rpn_bg_iou_thresh": rpn.negative_iou,
        "rpn_batch_size_per_image": rpn.anchors_per_image,
        "rpn_positive_fraction": rpn.positive_fraction,
        "box_head": TwoMLPHead(ours.channels * heads.bins**2, heads.width),
        "box_predictor": FastRCNNPredictor(heads.width, len(ours.classes)),
        "box_score_thresh": heads.score_threshold,
        "box_nms_thresh": heads.nms_iou,
        "box_detections_per_img": heads.max_detections,
        "box_fg_iou_thresh": heads.positive_iou,
        "box_bg_iou_thresh": heads.positive_iou,
        "box_batch_size_per_image": heads.rois_per_image,
        "box_positive_fraction": heads.positive_fraction,
        "bbox_reg_weights": [1 / std for std in heads.delta_std],
    }


class Peer(TorchvisionFasterRCNN):
    """Torchvision's model with the weights and the numbers of ours."""

    def __init__(self, ours: FasterRCNN):
        settings, stride = ours.settings, ours.backbone.strides[-1]
        rpn, heads = settings.rpn, settings.heads
        anchors = AnchorGenerator((rpn.anchor_sizes,), (rpn.aspect_ratios,))
        anchors.cell_anchors = [ours.rpn.cell_anchors + rpn.anchor_offset * stride]
        pool = (RoIPool if settings.pooling == "roi_pool" else MultiScaleRoIAlign)(["0"], heads.bins, 2)
        pool.stride = stride
        body = Body(copy.deepcopy(ours.backbone))
        super().__init__(body, rpn_anchor_generator=anchors, box_roi_pool=pool, **numbers(ours))
        self.rpn.min_size = rpn.min_size
        self.rpn.load_state_dict(ours.rpn.state_dict())
        self.roi_heads.load_state_dict(ours.roi_heads.state_dict())

    def losses(self, images: list[Tensor], targets: list[dict], generator: Generator) -> dict[str, Tensor]:
        """As ours; torchvision draws from torch's own generator."""
        torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))
        return self(images, targets)

    @torch.inference_mode()
    def detect(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
        return self(images)


def both(checkpoint: str, side: int, pooling: str) -> dict[str, nn.Module]:
    """Ours and the peer, trained, for pictures of one size."""
    model = load_model(checkpoint)[0]
    settings = replace(model.settings, training_sides=(side,), short_side=side, pooling=pooling)
    ours = FasterRCNN(build_backbone(model.backbone.name), model.classes, settings)
    ours.load_state_dict(model.state_dict())
    return {"ours": ours.eval(), "peer": Peer(ours).eval()}


def detecting(checkpoint: str, side: int, pooling: str) -> tuple[Callable[[], object], ...]:
    """Detection in one scene by each, once it is known that they find the same."""
    image, models = Scenes("test")[0][0], both(checkpoint, side, pooling)
    ours, peer = (model.detect([image])[0] for model in models.values())
    torch.testing.assert_close([ours[k] for k in peer], [*peer.values()], rtol=0, atol=1e-2)
    return tuple(partial(model.detect, [image]) for model in models.values())


def step_of(checkpoint: str, side: int, pooling: str, name: str) -> Callable[[], object]:
    """A training step of one of the two, called once already."""
    torch.set_num_threads(THREADS)
    return stepping(both(checkpoint, side, pooling)[name])


def stepping(model) -> Callable[[], object]:
    """A training step of a model of either kind on the first scenes, called once already."""
    data, generator = Scenes("train"), Generator().manual_seed(0)
    given = [data[i][0] for i in range(IMAGES)], [data[i][1] for i in range(IMAGES)]
    model.train()
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-6)

    def step() -> None:
        losses = model.losses(*given, generator=generator)
        optimiser.zero_grad()
        sum(losses.values()).backward()
        optimiser.step()

    step()
    return step


def train_both(seconds: float, side: int, images: int | None) -> dict:
    """Both from the same start: batches, processor seconds, accuracy, interval of the gain.

    The peer takes about so many seconds, ours not more than the peer did: a busy machine makes the two plans uncertain.
    """
    train, test = Scenes("train", n=images), Scenes("test", n=images)
    usual = FasterRCNNSettings()
    sizes = tuple(size * side / usual.short_side for size in usual.rpn.anchor_sizes)
    settings = replace(usual, training_sides=(side,), short_side=side, rpn=replace(usual.rpn, anchor_sizes=sizes))
    ours = FasterRCNN(build_backbone("lite0"), train.classes, settings, Generator().manual_seed(0))
    models = {"ours": ours, "peer": Peer(ours)}
    found, rows, targets = {}, {}, [test[i][1] for i in range(len(test))]
    for name in reversed(NAMES):  # the peer first
        model, trial = models[name], spend(copy.deepcopy(models[name]), train, TRIAL)
        batches = round(seconds * TRIAL / trial)
        spent = spend(model, train, batches)
        seconds = MARGIN * spent
        found[name] = [model.eval().detect([test[i][0]])[0] for i in range(len(test))]
        rows[name] = {"batches": batches, "processor seconds": round(spent)} | scores(found[name], targets)
    return {"side": side, "rows": rows, "gain": interval([found["ours"]], [found["peer"]], targets)}


def spend(model: nn.Module, data: Scenes, batches: int) -> float:
    """Processor seconds of so many batches of training."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        fit(model, data, Path(folder) / "state.pt", FitSettings(Schedule(batches, save_every=10**9)))
        return time.process_time() - start


def report(trained: dict) -> list[str]:
    """The trainings as a table's rows."""
    lines = ["| trained from nothing | batches | processor seconds | mAP | COCO AP |", "|---|---:|---:|---:|---:|"]
    for name, row in trained["rows"].items():
        figures = f"{row['batches']} | {row['processor seconds']} | {row['mAP']:.3f} | {row['AP']:.3f}"
        lines.append(f"| {name}, pictures of {trained['side']} x {trained['side']} | {figures} |")
    low, high = trained["gain"]
    return [*lines, "", f"Ours gains {low:+.3f} .. {high:+.3f} mAP (95 % over the test scenes).", ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", default="faster_rcnn_scenes", help="trained weights for both")
    parser.add_argument("--train", type=float, metavar="SECONDS", help="train both for so many processor seconds")
    parser.add_argument("--side", type=int, default=384, help="of the pictures in these trainings (default: 384)")
    parser.add_argument("--images", type=int, help="the first N scenes only in these trainings, to try the script")
    parser.add_argument("--repeats", type=int, default=25, help="pairs of timings (default: %(default)s)")
    parser.add_argument("--name", default="faster_rcnn_step", help="of the table (default: %(default)s)")
    args = parser.parse_args()
    torch.set_num_threads(THREADS)
    if args.train:
        text = json.dumps(train_both(args.train, args.side, args.images), indent=1)
        write_atomically(TRAINED, lambda file: file.write_text(text))
    rows = []
    for title, pooling in POOLINGS.items():
        case = (args.checkpoint, 512, pooling)
        rows.append(compare(f"detection, 512 x 512, 300 proposals, {title}", *detecting(*case), args.repeats, 3))
    for side, title in ((384, "RoI pooling"), (512, "RoI pooling"), (384, "RoIAlign")):
        steps = [step_of(args.checkpoint, side, POOLINGS[title], name) for name in NAMES]
        name = f"training step, {IMAGES} pictures of {side} x {side}, {title}"
        rows.append(compare(name, *steps, args.repeats, 3))
    used = [peak(partial(step_of, args.checkpoint, 512, "roi_pool", name)) / 1e6 for name in NAMES]
    note = [
        "Peer: torchvision's `FasterRCNN` with the same backbone, weights, anchors, counts and thresholds.",
        "",
        f"Peak memory of a training step of 512 x 512, MB: {used[0]:.0f}, {used[1]:.0f}, **{used[0] / used[1]:.2f}**",
        "",
        *(report(json.loads(TRAINED.read_text())) if TRAINED.is_file() else []),
    ]
    write_table(args.name, "Faster R-CNN: detection, training step, training", rows, "\n".join(note).strip())


if __name__ == "__main__":
    main()
