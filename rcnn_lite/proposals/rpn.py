"""The region proposal network: a small network slides over the map and says where an object may be (notebook 11).

Figure 3 (left) of Faster R-CNN: at each place of the map it sees 3 x 3 cells and tells of each of the k anchors there
how likely it is an object, and by which deltas it would fit better. Around it what training and testing need: which
anchors a step looks at, and how anchors become proposals. Sections are those of Faster R-CNN (Ren et al., 2015).

The map and the picture that it was made from are those of one image, so the pixels here are the pixels of the picture
that the network saw, resized or not; objects are given, and proposals come back, in these pixels. Names of the layers
are torchvision's, so that its weights can be loaded.

Notation: a map of h x w cells and C channels, A anchors a cell, n = h w A anchors, M objects, p proposals.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from rcnn_lite.boxes import clip_boxes, decode_boxes, encode_boxes, remove_small_boxes
from rcnn_lite.losses import rpn_loss
from rcnn_lite.matching import IGNORED, NEGATIVE, POSITIVE, match_boxes, sample_labels
from rcnn_lite.nms import nms
from rcnn_lite.proposals.anchors import make_cell_anchors, shift_anchors


class ProposalCounts(NamedTuple):
    """How many of the best boxes go into NMS, and how many of those that it leaves become proposals."""

    before_nms: int
    after_nms: int


@dataclass(frozen=True)
class RPNSettings:
    """The numbers of the RPN. Where they differ from the paper's, it is for smaller objects in pictures of 512."""

    anchor_sizes: tuple[float, ...] = (48.0, 96.0, 192.0)  # section 3.3: 128, 256, 512; roots of the areas, in pixels
    aspect_ratios: tuple[float, ...] = (0.5, 1.0, 2.0)  # section 3.3: 2:1, 1:1, 1:2; h / w
    anchor_offset: float = 0.5  # section 3.1.1: centred at the sliding window; torchvision's lie at its corner, 0
    border: float = 0.0  # section 3.3: anchors that reach further beyond the picture are not trained on; inf: all are
    positive_iou: float = 0.7  # section 3.1.2, besides the best anchors of each object
    negative_iou: float = 0.3  # section 3.1.2: below it with every object
    anchors_per_image: int = 256  # section 3.1.3; N_cls of equation 1
    positive_fraction: float = 0.5  # section 3.1.3: at most
    loss_weight: float = 10.0  # section 3.1.2: lambda; N_reg is the number of places of the map
    beta: float = 1.0  # section 3.1.2: smooth L1 as in Fast R-CNN; the authors' code and torchvision have 1/9
    min_size: float = 8.0  # code: 16; a proposal narrower or lower is dropped, in pixels of the resized picture
    nms_iou: float = 0.7  # section 3.3
    training: ProposalCounts = ProposalCounts(12000, 2000)  # code; section 3.3: about 2,000
    testing: ProposalCounts = ProposalCounts(6000, 300)  # code; section 4.1


class RPNPredictions(NamedTuple):
    """What the network says of the n anchors of one image: logits (n,) of being an object, deltas (n, 4); and the
    anchors (n, 4) themselves, row by row of the map, the A of a cell together.
    """

    logits: Tensor
    deltas: Tensor
    anchors: Tensor


class AnchorTargets(NamedTuple):
    """What the network should say: labels (n,) of 1, 0, -1 (ignored), deltas (n, 4), zero but for the positive."""

    labels: Tensor
    deltas: Tensor


class RPNHead(nn.Module):
    """3 x 3 convolution and ReLU, then two 1 x 1 siblings: the sliding network of section 3.1.

    To slide a fully connected layer over all windows of 3 x 3 cells is to convolve, and the fully connected siblings
    behind it see one place each: 1 x 1. One logit an anchor is the paper's two-way softmax, whose two logits matter by
    their difference only. Weights start with a standard deviation of 0.01 (section 3.1.3), biases at zero.
    """

    def __init__(self, channels: int, anchors_per_cell: int, generator: Generator | None = None):
        super().__init__()
        window = nn.Conv2d(channels, channels, kernel_size=3, padding=1)
        self.conv = nn.Sequential(nn.Sequential(window, nn.ReLU()))
        self.cls_logits = nn.Conv2d(channels, anchors_per_cell, kernel_size=1)
        self.bbox_pred = nn.Conv2d(channels, 4 * anchors_per_cell, kernel_size=1)
        for layer in (window, self.cls_logits, self.bbox_pred):
            nn.init.normal_(layer.weight, std=0.01, generator=generator)
            nn.init.zeros_(layer.bias)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Maps (N, C, h, w) -> logits (N, h w A), deltas (N, h w A, 4), in the order of `shift_anchors`."""
        seen = self.conv(features)  # (N, C, h, w)
        logits = self.cls_logits(seen).permute(0, 2, 3, 1).flatten(1)  # (N, A, h, w) -> (N, h w A)
        deltas = self.bbox_pred(seen).permute(0, 2, 3, 1)  # (N, h, w, A 4)
        return logits, deltas.reshape(len(features), -1, 4)


class RegionProposalNetwork(nn.Module):
    """An `RPNHead` and anchors over maps of `channels`, one cell every `stride` pixels.

    Calling it makes predictions once; `losses` and `propose` both start from them. It does the same in train and in
    eval mode: how many proposals are wanted is said to `propose`. Torchvision rounds its cell anchors; a model whose
    weights come from there wants ``rpn.cell_anchors.round_()``.
    """

    def __init__(
        self, channels: int, stride: int, settings: RPNSettings = RPNSettings(), generator: Generator | None = None
    ):
        super().__init__()
        self.stride, self.settings = stride, settings
        self.register_buffer("cell_anchors", self.make_cell_anchors(), persistent=False)
        self.head = RPNHead(channels, self.cell_anchors.shape[-2], generator)

    def make_cell_anchors(self) -> Tensor:
        """The anchors of one cell: every size with every aspect ratio, (A, 4)."""
        return make_cell_anchors(self.settings.anchor_sizes, self.settings.aspect_ratios)

    def forward(self, features: Tensor) -> RPNPredictions:
        """The map of one image (1, C, h, w) -> logits (n,), deltas (n, 4), anchors (n, 4).

        ValueError for the maps of several images, and for a map without cells.
        """
        return self.predict(features, self.cell_anchors, self.stride)

    def predict(self, features: Tensor, cell_anchors: Tensor, stride: int) -> RPNPredictions:
        """What the head says of the anchors (A, 4) around each cell of a map (1, C, h, w)."""
        if features.ndim != 4 or len(features) != 1 or 0 in features.shape:
            raise ValueError(f"features must be one map (1, C, h, w) of a cell or more, got {tuple(features.shape)}")
        logits, deltas = self.head(features)
        anchors = shift_anchors(cell_anchors, features.shape[2:], stride, self.settings.anchor_offset)
        return RPNPredictions(logits[0], deltas[0], anchors)

    def assign(self, anchors: Tensor, image_size: tuple[int, int], target: dict[str, Tensor]) -> AnchorTargets:
        """Labels and deltas of the anchors (n, 4) of one picture (H, W), section 3.1.2.

        Positive is what overlaps an object with at least `positive_iou`, and of each object the anchor that overlaps
        it most, or all that tie for it, so that no object in reach goes without; negative what stays below
        `negative_iou` with every object; the rest is ignored. Anchors across the border are ignored first: they are
        nobody's best (section 3.3). Deltas lead to the object that the anchor overlaps most.

        Without objects every anchor inside is negative. Objects that no anchor inside overlaps have no positive. Crowds
        are no objects. ValueError for an object without area.
        """
        single = ~target["iscrowd"].bool() if "iscrowd" in target else slice(None)
        gt_boxes, s = target["boxes"][single].to(anchors), self.settings
        height, width = image_size
        far_corner = anchors.new_tensor([width, height]) + s.border
        rows = torch.nonzero(((anchors[:, :2] >= -s.border) & (anchors[:, 2:] <= far_corner)).all(dim=1)).flatten()
        matched, sides = match_boxes(anchors[rows], gt_boxes, s.positive_iou, s.negative_iou, keep_best=True)
        labels = torch.full((len(anchors),), IGNORED, dtype=torch.int64, device=anchors.device)
        labels[rows] = sides
        positives, deltas = rows[sides == POSITIVE], torch.zeros_like(anchors)
        deltas[positives] = encode_boxes(gt_boxes[matched[sides == POSITIVE]], anchors[positives])
        return AnchorTargets(labels, deltas)

    def sample(self, labels: Tensor, generator: Generator | None) -> Tensor:
        """The mini-batch of one image, section 3.1.3: labels (n,) with all that are not drawn ignored.

        Up to half of `anchors_per_image` are positive. Where there are fewer, mostly so, negatives fill up.
        """
        s, drawn = self.settings, torch.full_like(labels, IGNORED)
        positives, negatives = sample_labels(labels, s.anchors_per_image, s.positive_fraction, generator)
        drawn[positives], drawn[negatives] = POSITIVE, NEGATIVE
        return drawn

    def losses(
        self,
        predictions: list[RPNPredictions],
        image_sizes: list[tuple[int, int]],
        targets: list[dict[str, Tensor]],
        generator: Generator | None = None,
    ) -> dict[str, Tensor]:
        """The loss of a batch, equation 1: {"objectness", "rpn_box_regression"}.

        N_cls is the number of anchors drawn from all images, N_reg the number of places of all maps: for maps of one
        size the mean over the images. To be rid of N_reg, and divide both terms by N_cls as torchvision does, is to
        choose lambda = N_reg / N_cls. Images without objects teach what is background.
        """
        if not len(predictions) == len(image_sizes) == len(targets) > 0:
            counts = f"{len(predictions)}, {len(image_sizes)} and {len(targets)}"
            raise ValueError(f"predictions, image_sizes and targets must be for the same images, got {counts}")
        labels, wanted = [], []
        for seen, image_size, target in zip(predictions, image_sizes, targets, strict=True):
            found = self.assign(seen.anchors, image_size, target)
            labels.append(self.sample(found.labels, generator))
            wanted.append(found.deltas)
        logits, deltas, anchors = (torch.cat(values) for values in zip(*predictions, strict=True))
        locations, s = len(anchors) // self.cell_anchors.shape[-2], self.settings
        return rpn_loss(logits, deltas, torch.cat(labels), torch.cat(wanted), locations, s.loss_weight, s.beta)

    @torch.no_grad()
    def propose(
        self, predictions: RPNPredictions, image_size: tuple[int, int], counts: ProposalCounts
    ) -> tuple[Tensor, Tensor]:
        """Proposals in one picture (H, W), best first: boxes (p, 4) and scores (p,), probabilities of an object.

        Section 3.3: decode, clip to the picture, drop the small, take the best, NMS, take the best. `counts` are
        ``settings.training`` or ``settings.testing``. Proposals are constants: no gradient flows through them (section
        3.2, approximate joint training). FloatingPointError for predictions that are not finite.
        """
        for name, loss in (("logits", "objectness"), ("deltas", "rpn_box_regression")):
            if not torch.isfinite(getattr(predictions, name)).all():
                raise FloatingPointError(
                    f"the RPN's {name} are not all finite ({loss}): the map is not, or the training has diverged"
                )
        before_nms, after_nms = counts
        for looked_at in (2 * before_nms, len(predictions.logits)):  # mostly the first, without the long tail, will do
            best = best_first(predictions.logits, looked_at)
            boxes = clip_boxes(decode_boxes(predictions.deltas[best], predictions.anchors[best]), image_size)
            large = remove_small_boxes(boxes, self.settings.min_size)[:before_nms]
            if len(large) == before_nms:
                break
        boxes, logits = boxes[large], predictions.logits[best[large]]
        kept = nms(boxes, logits, self.settings.nms_iou, limit=after_nms)
        return boxes[kept], logits[kept].sigmoid()


def best_first(scores: Tensor, count: int) -> Tensor:
    """Rows of the `count` highest of scores (n,), or of all, the highest first; of equal ones the earlier first: (k,).

    Only as many are sorted as are wanted, and those that tie for the last place.

    >>> best_first(torch.tensor([0.1, 0.7, 0.2, 0.7, 0.2]), 3)
    tensor([1, 3, 2])
    """
    if not 0 < count < len(scores):
        return scores.argsort(descending=True, stable=True)[:count]
    least = scores.topk(count, sorted=False).values.min()
    rows = torch.nonzero(scores >= least).flatten()
    return rows[scores[rows].argsort(descending=True, stable=True)[:count]]
