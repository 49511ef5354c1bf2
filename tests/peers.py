"""What comparisons of whole detectors with torchvision's need: a backbone, pictures, and the same random draws."""

import torch
from torch import nn


class Body(nn.Module):
    """The shared part of a backbone, as torchvision wants it: one map, and how many channels it has."""

    def __init__(self, backbone):
        super().__init__()
        self.body, self.out_channels = backbone, backbone.channels[-1]

    def forward(self, images):
        return self.body(images)[-1]


def picture(height, width, seed=0):
    """Smooth and bright in places, so that the map differs from place to place."""
    coarse = torch.rand(1, 3, 5, 7, generator=torch.Generator().manual_seed(seed))
    return nn.functional.interpolate(coarse, (height, width), mode="bicubic")[0].clamp(0, 1).double()


def objects(*rows, labels):
    return {"boxes": torch.tensor(rows).reshape(-1, 4).double(), "labels": torch.tensor(labels).long()}


def discs(target, height, width):
    """The target with an ellipse in each box as its mask."""
    y, x = torch.arange(height)[:, None] + 0.5, torch.arange(width) + 0.5
    masks = torch.zeros(len(target["boxes"]), height, width, dtype=torch.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, target["boxes"].tolist(), strict=True):
        mask[((2 * x - x1 - x2) / (x2 - x1)) ** 2 + ((2 * y - y1 - y2) / (y2 - y1)) ** 2 <= 1] = 1
    return target | {"masks": masks}


OBJECTS = (
    objects([8.0, 6, 40, 44], [30.0, 20, 60, 62], [50.0, 4, 62, 20], labels=[1, 3, 2]),
    objects([2.0, 10, 30, 60], labels=[4]),
    objects(labels=[]),
)


class Draws:
    """What our model draws while its losses are computed, handed to torchvision's instead of its own samplers."""

    def __init__(self, ours, monkeypatch):
        self.anchors, self.regions = [], []
        for part, kept in ((ours.rpn, self.anchors), (ours.roi_heads, self.regions)):
            monkeypatch.setattr(part, "sample", self.remember(part.sample, kept))

    @staticmethod
    def remember(sample, kept):
        return lambda *args: kept.append(sample(*args)) or kept[-1]

    def give(self, peer, monkeypatch):
        """Torchvision asks for masks of its anchors, and of its proposals, which it lists in another order."""
        anchors = lambda labels: ([d == 1 for d in self.anchors], [d == 0 for d in self.anchors])  # noqa: E731
        monkeypatch.setattr(peer.rpn, "fg_bg_sampler", anchors)
        listed, add = [], peer.roi_heads.add_gt_proposals
        monkeypatch.setattr(peer.roi_heads, "add_gt_proposals", lambda *args: listed.extend(add(*args)) or listed)

        def regions(labels):
            masks = []
            for boxes, sample in zip(listed, self.regions, strict=True):
                nearest = torch.cdist(sample.boxes, boxes, compute_mode="donot_use_mm_for_euclid_dist").min(dim=1)
                assert nearest.values.max() < 1e-3
                masks.append(torch.zeros(len(boxes), dtype=torch.bool).index_fill(0, nearest.indices, True))
                assert masks[-1].sum() == len(sample.boxes)
            pairs = list(zip(masks, labels, strict=True))
            return [mask & (label > 0) for mask, label in pairs], [mask & (label == 0) for mask, label in pairs]

        monkeypatch.setattr(peer.roi_heads, "fg_bg_sampler", regions)
