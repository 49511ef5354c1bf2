"""Domain-specific fine-tuning: the ImageNet network learns to tell warped regions apart (notebook 05).

R-CNN section 2.3: "we simply continue stochastic gradient descent training of the CNN parameters using only warped
region proposals" with a new layer of K outputs, classes and background. A region counts as positive where its IoU with
an object is at least 0.5, all others are background. A batch has 32 positives and 96 backgrounds, drawn from all
images, because positives are so rare. The network learns at a tenth of the pace of the new layer, so that it changes
without forgetting.

Notation: K classes with background, n regions of one image.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from rcnn_lite.distributed import share
from rcnn_lite.matching import POSITIVE, match_boxes
from rcnn_lite.models.region_network import RegionNetwork
from rcnn_lite.training import History, Report, Schedule, optimise


@dataclass(frozen=True)
class FinetuningSettings:
    """The numbers of section 2.3; learning rates are AdamW's, the paper's optimiser was SGD."""

    iterations: int = 600  # 0 leaves the network as ImageNet made it
    positives: int = 32
    backgrounds: int = 96
    positive_iou: float = 0.5
    new_layer_rate: float = 1e-3
    network_rate: float = 1e-4  # a tenth
    frozen_stages: int = 3  # the first convolutions stay: edges and colours serve everybody (Fast R-CNN section 4.5)


class Windows:
    """All regions of a data set that fine-tuning may draw: image (n,), box (n, 4), label (n,), 0 where background.

    `regions` holds for each image its proposals, objects and labels; an object is a region too, and a perfect one.
    """

    def __init__(self, regions: list[dict[str, Tensor]], positive_iou: float = 0.5):
        parts = [_label_regions(region, positive_iou) for region in regions]
        counts = torch.tensor([len(labels) for _, labels in parts])
        self.images = torch.repeat_interleave(torch.arange(len(parts)), counts)
        self.boxes, self.labels = (torch.cat(columns) for columns in zip(*parts, strict=True))
        self.positive = torch.nonzero(self.labels > 0).flatten()
        self.background = torch.nonzero(self.labels == 0).flatten()
        if not len(self.positive):
            raise ValueError(f"no region of these {len(regions)} images overlaps an object by {positive_iou} or more")

    def draw(self, positives: int, backgrounds: int, generator: Generator) -> Tensor:
        """Rows of a batch: uniformly from the positives of all classes, and from the backgrounds."""
        chosen = [
            pool[torch.randint(len(pool), (count,), generator=generator)]
            for pool, count in ((self.positive, positives), (self.background, backgrounds))
            if len(pool)
        ]
        return torch.cat(chosen)


def _label_regions(region: dict[str, Tensor], positive_iou: float) -> tuple[Tensor, Tensor]:
    """Objects and proposals of one image as (n, 4) and their labels (n,)."""
    boxes = torch.cat((region["objects"], region["proposals"]))
    matched, sides = match_boxes(boxes, region["objects"], positive_iou, positive_iou)
    labels = torch.zeros(len(boxes), dtype=torch.int64)
    labels[sides == POSITIVE] = region["labels"][matched[sides == POSITIVE]]
    return boxes, labels


class RegionClassifier(nn.Module):
    """The network and its new layer: warped regions (n, 3, S, S) -> logits (n, K)."""

    def __init__(self, network: RegionNetwork, fc7_size: int, num_classes: int, generator: Generator):
        super().__init__()
        self.network, self.new_layer = network, nn.Linear(fc7_size, num_classes)
        with torch.no_grad():
            self.new_layer.weight.normal_(0, 0.01, generator=generator)
            self.new_layer.bias.zero_()

    def forward(self, regions: Tensor) -> Tensor:
        """(n, 3, S, S) -> (n, K)."""
        return self.new_layer(self.network(regions).fc7)


def finetune(
    classifier: RegionClassifier,
    windows: Windows,
    crop: Callable[[int, Tensor], Tensor],
    settings: FinetuningSettings,
    generator: Generator,
    file: Path,
    report: Report = lambda history: None,
) -> History:
    """Train `classifier` in place on batches of 32 + 96 warped regions; returns the loss of each iteration.

    Parameters
    ----------
    crop : index of an image, boxes (n, 4) -> warped regions (n, 3, S, S).
    file : where the state is kept; a second call goes on from there.
    report : called with the losses so far after each iteration.
    """
    backbone = classifier.network.backbone
    classifier.requires_grad_(True)
    backbone.classifier.requires_grad_(False)  # is no layer of networks with two others behind the map
    classifier.network.fc7.requires_grad_(True)
    backbone.stages[: settings.frozen_stages].requires_grad_(False)
    backbone.freeze_batch_norm()
    classifier.train()
    device = backbone.mean.device

    def step(generator: Generator) -> dict[str, Tensor]:
        """Draw, warp and mirror a batch; the loss of what the classifier says of it."""
        rows = windows.draw(settings.positives, settings.backgrounds, generator)
        rows = rows[windows.images[rows].argsort(stable=True)]  # regions of one image are warped together
        mirrored = share(torch.rand(len(rows), generator=generator) < 0.5).to(device)
        rows = share(rows)
        images, counts = windows.images[rows].unique_consecutive(return_counts=True)
        boxes = windows.boxes[rows].split(counts.tolist())
        regions = torch.cat([crop(int(i), some) for i, some in zip(images, boxes, strict=True)]).to(device)
        regions = torch.where(mirrored[:, None, None, None], regions.flip(3), regions)
        logits = classifier(regions.contiguous(memory_format=torch.channels_last))  # (n, K)
        return {"classification": F.cross_entropy(logits, windows.labels[rows].to(device))}

    of_network = [p for p in classifier.network.parameters() if p.requires_grad]
    groups = [
        {"params": of_network, "lr": settings.network_rate},
        {"params": classifier.new_layer.parameters(), "lr": settings.new_layer_rate},
    ]
    history = optimise(step, classifier, groups, Schedule(settings.iterations), generator, file, report)
    classifier.eval()
    return history
