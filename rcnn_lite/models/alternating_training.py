"""The four steps in which the paper trains a Faster R-CNN (section 3.2, "4-Step Alternating Training"; notebook 12).

    step  learns                               starts from                        proposals for it
    1     an RPN and its convolutions          ImageNet
    2     a Fast R-CNN and its convolutions    ImageNet                           of step 1
    3     the RPN's own layers                 1; convolutions of 2, kept fixed
    4     the Fast R-CNN's own layers          2; convolutions of 2, kept fixed   of step 3

After step 2 there are two networks that share nothing; after step 3 both stand on the same convolutions, so after step
4 they are one. Each step is a training of its own whose state stays in the folder:

    RUN/stages.json                          what is being trained; a second call with other settings is refused
    RUN/1.pt  2.pt  3.pt  4.pt               the state of each step: an interrupted run goes on from there
    RUN/1.safetensors  3.safetensors         the proposals that steps 1 and 3 make
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from torch import Generator, Tensor

from rcnn_lite.models.backbone import Backbone
from rcnn_lite.models.fast_rcnn import FastRCNN, FastRCNNSettings
from rcnn_lite.models.faster_rcnn import FasterRCNN, FasterRCNNSettings
from rcnn_lite.models.rpn_detector import RPNDetector
from rcnn_lite.models.runs import claim
from rcnn_lite.proposals.stored import propose_all
from rcnn_lite.training import FitSettings, History, Schedule, fit


@dataclass(frozen=True)
class AlternatingTraining:
    """The numbers of the training. `own_layers` learn for fewer batches: most of the network is fixed then."""

    whole: FitSettings = FitSettings(Schedule(iterations=1500))  # steps 1 and 2
    own_layers: FitSettings = FitSettings(Schedule(iterations=1000))  # steps 3 and 4
    seed: int = 0


class Unshared(NamedTuple):
    """What there is after step 2: an RPN and a detector, each with convolutions of its own."""

    rpn: RPNDetector
    detector: FastRCNN


Report = Callable[[int, History], None]


def train(
    backbone: Backbone,
    dataset,
    folder: str | Path,
    model_settings: FasterRCNNSettings = FasterRCNNSettings(),
    settings: AlternatingTraining = AlternatingTraining(),
    report: Report = lambda step, history: None,
) -> FasterRCNN:
    """All four steps on a dataset's (image, target) pairs and ``classes``, in `folder`: a trained Faster R-CNN.

    `report` is called with the number of the step and its losses so far, and once when the step is done. Raises
    ValueError if the folder holds a run with other settings or data.
    """
    run = _Run(dataset, Path(folder), settings, report)
    empty = FasterRCNN(backbone, dataset.classes, model_settings, Generator().manual_seed(settings.seed))
    claim(run.folder, empty, dataset, settings)
    rpn, detector = separate(backbone, run, model_settings)
    share(rpn, detector)
    run.fit(3, rpn)
    run.fit(4, detector, run.proposals(3, rpn))
    return joined(empty, rpn, detector)


def separate(backbone: Backbone, run: "_Run", settings: FasterRCNNSettings) -> Unshared:
    """Steps 1 and 2."""
    start = Generator().manual_seed(run.settings.seed)
    rpn = RPNDetector(backbone, settings=settings, generator=start)
    run.fit(1, rpn)
    detector = FastRCNN(backbone, run.dataset.classes, detector_settings(settings), start)
    run.fit(2, detector, run.proposals(1, rpn))
    return Unshared(rpn, detector)


def share(rpn: RPNDetector, detector: FastRCNN) -> None:
    """Between steps 2 and 3: the detector's convolutions become those of the RPN too, and are fixed from now on."""
    rpn.backbone = detector.backbone.requires_grad_(False)


def joined(empty: FasterRCNN, rpn: RPNDetector, detector: FastRCNN) -> FasterRCNN:
    """After step 4: the two halves, on the convolutions that they share, as one model."""
    empty.backbone.load_state_dict(detector.backbone.state_dict())
    empty.rpn.load_state_dict(rpn.rpn.state_dict())
    empty.roi_heads.load_state_dict(detector.roi_heads.state_dict())
    return empty.eval()


def detector_settings(settings: FasterRCNNSettings) -> FastRCNNSettings:
    """Of the Fast R-CNN that is the second half of a Faster R-CNN: the same numbers.

    ValueError for another pooling than Fast R-CNN's.
    """
    if settings.pooling != "roi_pool":
        raise ValueError(f"alternating training trains a Fast R-CNN, which has RoI pooling, not {settings.pooling!r}")
    return FastRCNNSettings(
        training_sides=settings.training_sides,
        short_sides=(settings.short_side,),
        long_side=settings.long_side,
        stride=settings.stride,
        frozen_stages=settings.frozen_stages,
        min_size=0.0,  # the RPN has dropped what is too small
        heads=settings.heads,
    )


class _Run(NamedTuple):
    """Where the steps leave their files."""

    dataset: object
    folder: Path
    settings: AlternatingTraining
    report: Report

    def fit(self, step: int, model: RPNDetector | FastRCNN, proposals: list[Tensor] | None = None) -> None:
        """One step, or what is left of it."""
        numbers = self.settings.whole if step <= 2 else self.settings.own_layers
        generator = Generator().manual_seed(1000 * self.settings.seed + step)
        report = lambda history: self.report(step, history)  # noqa: E731
        history = fit(model, self.dataset, self.folder / f"{step}.pt", numbers, generator, proposals, report)
        self.report(step, history)  # of a step that was finished before, the only time

    def proposals(self, step: int, rpn: RPNDetector) -> list[Tensor]:
        """What the RPN of a step proposes in each training picture: about 2,000 boxes."""
        counts = rpn.settings.rpn.training
        make = lambda i, image: rpn.propose(image, counts)[0]  # noqa: E731
        return propose_all(make, self.dataset, self.folder / f"{step}.safetensors", f"RPN after step {step}")
