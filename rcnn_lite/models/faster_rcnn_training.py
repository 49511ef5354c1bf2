"""Training a Faster R-CNN, or its RPN alone, in one go (notebooks 11, 12).

*Approximate joint training* (section 3.2): one network, the four losses added, the proposals of the moment taken as
constants. No other program makes proposals, so the folder is small.

    RUN/stages.json             what is being trained; a second call with other settings is refused
    RUN/state.pt                weights, optimiser and losses so far: an interrupted run goes on from there
"""

from dataclasses import dataclass, field
from pathlib import Path

from torch import Generator

from rcnn_lite.models.faster_rcnn import FasterRCNN
from rcnn_lite.models.rpn_detector import RPNDetector
from rcnn_lite.models.runs import claim
from rcnn_lite.training import FitSettings, History, Report, fit


@dataclass(frozen=True)
class FasterRCNNTraining:
    """The numbers of the training."""

    fit: FitSettings = field(default_factory=FitSettings)
    seed: int = 0


def train(
    model: FasterRCNN | RPNDetector,
    dataset,
    folder: str | Path,
    settings: FasterRCNNTraining = FasterRCNNTraining(),
    report: Report = lambda history: None,
) -> History:
    """Train `model` on a dataset's (image, target) pairs, in `folder`.

    Returns the losses of each iteration; `report` is called with those so far (see `training.fit`). Raises ValueError
    if the folder holds a run with other settings or data.
    """
    folder = Path(folder)
    claim(folder, model, dataset, settings)
    generator = Generator().manual_seed(settings.seed)
    return fit(model, dataset, folder / "state.pt", settings.fit, generator, report=report)
