"""Training a Fast R-CNN: proposals first, then everything at once (notebook 10).

Where R-CNN and SPPnet chain programs and files, one loss and one loop remain. Only the proposals are still made by
another program, once.

    RUN/stages.json             what is being trained; a second call with other settings is refused
    RUN/proposals.safetensors   proposals of each image, see `proposals.stored`
    RUN/state.pt                weights, optimiser and losses so far: an interrupted run goes on from there
"""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from torch import Generator, Tensor

from rcnn_lite.images import tensor_to_image
from rcnn_lite.models.fast_rcnn import FastRCNN
from rcnn_lite.models.runs import claim
from rcnn_lite.proposals.selective_search import selective_search
from rcnn_lite.proposals.stored import propose_all
from rcnn_lite.training import FitSettings, History, Report, fit


@dataclass(frozen=True)
class FastRCNNTraining:
    """The numbers of the training."""

    fit: FitSettings = field(default_factory=FitSettings)
    seed: int = 0


def train(
    model: FastRCNN,
    dataset,
    folder: str | Path,
    settings: FastRCNNTraining = FastRCNNTraining(),
    report: Report = lambda history: None,
    workers: int = 1,
) -> History:
    """Train `model` on a dataset's (image, target) pairs and their selective search boxes, in `folder`.

    Returns the losses of each iteration; `report` is called with those so far (see `training.fit`). `workers` processes
    share the selective search. Raises ValueError if the folder holds a run with other settings or data.
    """
    folder = Path(folder)
    claim(folder, model, dataset, settings)
    file, method = folder / "proposals.safetensors", f"selective search {settings.seed}"
    proposals = propose_all(partial(search, settings.seed), dataset, file, method, workers)
    generator = Generator().manual_seed(settings.seed)
    return fit(model, dataset, folder / "state.pt", settings.fit, generator, proposals, report)


def search(seed: int, index: int, image: Tensor) -> Tensor:
    """Selective search in image (3, H, W) number `index`, whose draws depend on its number and the seed: (n, 4)."""
    return selective_search(tensor_to_image(image), rng=np.random.default_rng([seed, index]))
