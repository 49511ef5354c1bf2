"""Short trainings of every kind, for one process or for several: ``torchrun --nproc-per-node 2 joint_trainings.py OUT``

Each process writes what it ended with into OUT. Of those that torchrun may start again one dies on the way.
"""

import os
import signal
import sys
from pathlib import Path

import torch
from torch import nn

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from fakes import MeanColour
from small_faster import NOTHING, small_model
from small_mask import SMALL as SMALL_MASK
from squares import CLASSES, CornerSquares, CutSquares, Squares

from rcnn_lite import distributed
from rcnn_lite.heads.keypoint_head import KeypointHeadSettings
from rcnn_lite.models.fast_rcnn import FastRCNN, FastRCNNSettings
from rcnn_lite.models.finetuning import FinetuningSettings, RegionClassifier, Windows, finetune
from rcnn_lite.models.keypoint_rcnn import KeypointRCNN, KeypointRCNNSettings
from rcnn_lite.models.mask_rcnn import MaskRCNN
from rcnn_lite.models.region_network import RegionNetwork
from rcnn_lite.models.torchvision_weights import extended
from rcnn_lite.training import FitSettings, Schedule, fit

SIDES = (40, 48, 64)  # pictures of different sizes have maps, and sums of losses, of different lengths
PLAN = FitSettings(Schedule(6, warm_up=2, save_every=2), learning_rate=3e-3)


class Emptier(CutSquares):
    """Every third picture is without objects: nothing there counts for boxes and masks."""

    def __getitem__(self, index):
        image, target = super().__getitem__(index)
        return image, target if index % 3 else NOTHING


def of_faster_rcnn(folder: Path, data=None, batch=2) -> tuple[list, nn.Module]:
    model = small_model(training_sides=SIDES)
    plan = FitSettings(PLAN.schedule, PLAN.learning_rate, batch)
    return fit(model, data or Squares(7), folder / "faster.pt", plan, torch.Generator().manual_seed(1)), model


def of_fast_rcnn(folder: Path) -> tuple[list, nn.Module]:
    settings = FastRCNNSettings(training_sides=SIDES, short_sides=(48,), stride=4, frozen_stages=1, min_size=2)
    model = FastRCNN(MeanColour(), CLASSES, settings, torch.Generator().manual_seed(0))
    corners = torch.cartesian_prod(torch.arange(0, 40, 8.0), torch.arange(0, 30, 8.0))
    boxes = torch.cat((corners, corners + 20), dim=1)
    proposals = [boxes[: 8 + i] for i in range(7)]  # samples of different sizes
    return fit(model, Squares(7), folder / "fast.pt", PLAN, proposals=proposals), model


def of_mask_rcnn(folder: Path) -> tuple[list, nn.Module]:
    model = MaskRCNN(MeanColour(), CLASSES, SMALL_MASK, torch.Generator().manual_seed(0))
    plan = FitSettings(PLAN.schedule, PLAN.learning_rate, images_per_step=4)
    return fit(model, Emptier(7), folder / "mask.pt", plan), model


def of_keypoint_rcnn(folder: Path) -> tuple[list, nn.Module]:
    head = KeypointHeadSettings(bins=6, convolutions=1, width=12)
    base = small_model(training_sides=SIDES).settings
    settings = extended(base, KeypointRCNNSettings, pooling="roi_align", num_keypoints=3, keypoint=head)
    model = KeypointRCNN(MeanColour(), CLASSES, settings, torch.Generator().manual_seed(0))
    return fit(model, CornerSquares(7), folder / "keypoint.pt", PLAN), model


def of_regions(folder: Path) -> tuple[list, nn.Module]:
    """R-CNN's fine-tuning, whose batches have regions of many pictures."""
    data, regions = Squares(3), []
    for target in (data[i][1] for i in range(3)):
        far = torch.tensor([[0.0, 0.0, 8, 8], [30, 0, 40, 9]])
        regions.append({"proposals": far, "objects": target["boxes"], "labels": target["labels"]})
    generator = torch.Generator().manual_seed(0)
    classifier = RegionClassifier(RegionNetwork(MeanColour()), 10, 3, generator)
    crop = lambda i, boxes: torch.stack([data[i][0][:, int(y) : int(y) + 8, int(x) : int(x) + 8] for x, y, *_ in boxes])  # noqa: E731
    settings = FinetuningSettings(6, positives=3, backgrounds=5, frozen_stages=1)
    return finetune(classifier, Windows(regions), crop, settings, generator, folder / "regions.pt"), classifier


KINDS = (of_faster_rcnn, of_fast_rcnn, of_mask_rcnn, of_keypoint_rcnn, of_regions)


def ended(history: list, model: nn.Module) -> dict:
    """What a training ended with: its losses, its parameters."""
    return {"history": history, "weights": {name: value.detach() for name, value in model.named_parameters()}}


class Deadly(Squares):
    """The squares; whoever asks for the ninth picture while armed dies."""

    def __init__(self, length: int, armed: bool):
        super().__init__(length)
        self.asked, self.armed = 0, armed

    def __getitem__(self, index):
        self.asked += 1
        if self.armed and self.asked == 9:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(index)


def main(out: Path) -> None:
    """Die once in process 1, in the fifth of six steps of four pictures; then end that training, and all others."""
    with distributed.processes():
        first = os.environ.get("TORCHELASTIC_RESTART_COUNT") == "0"
        data = Deadly(7, armed=first and distributed.rank() == 1)
        results = {"cut": ended(*of_faster_rcnn(out / "cut", data, batch=4))}
        results["whole"] = ended(*of_faster_rcnn(out / "whole", batch=4))
        results |= {kind.__name__: ended(*kind(out)) for kind in KINDS}
        torch.save(results, out / f"process_{distributed.rank()}.pt")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
