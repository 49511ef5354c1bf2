"""The small change that makes keypoints of Mask R-CNN's masks: where in a region each named point is (notebook 14).

Mask R-CNN (He et al. 2017), section 5: a keypoint is a mask of m x m cells of which exactly one is foreground. So the
loss is a softmax over the m m positions instead of a sigmoid at each, and the map is finer than a mask's: m = 56. Only
objects of the class that has keypoints are trained on. Names of the layers are torchvision's.

Keypoints are continuous pixels, as boxes are: the centre of the first pixel is (0.5, 0.5). (COCO's are whole pixels; a
reader of COCO adds one half.) Visibility is 0 for not annotated, 1 for hidden, 2 for visible.

Notation: R RoIs, K keypoints, C channels, b x b bins, m = 4 b cells a side.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from rcnn_lite.boxes import require_boxes, require_positive_area
from rcnn_lite.distributed import divisor


@dataclass(frozen=True)
class KeypointHeadSettings:
    """The numbers of the keypoint branch, section 5 of Mask R-CNN. Smaller than the paper's, for a laptop."""

    bins: int = 14  # regions are pooled to 14 x 14; "a relatively high resolution output" of m = 56 follows
    convolutions: int = 4  # 8
    width: int = 64  # 512 channels
    loss_weight: float = 1.0


class KeypointHead(nn.Module):
    """3 x 3 convolutions, a deconvolution that doubles the map and one that bilinear interpolation doubles again.

    Convolutions start as He et al. (2015) proposed; the last layer with a standard deviation of 0.001 and zeros, so
    that all positions are about as likely at first and the loss is ln m m.
    """

    def __init__(
        self,
        channels: int,
        num_keypoints: int,
        settings: KeypointHeadSettings = KeypointHeadSettings(),
        generator: Generator | None = None,
    ):
        super().__init__()
        self.settings = settings
        widths = [channels] + [settings.width] * settings.convolutions
        layers = [nn.Conv2d(a, b, 3, padding=1) for a, b in zip(widths, widths[1:], strict=False)]
        self.keypoint_head = nn.Sequential(*(part for layer in layers for part in (layer, nn.ReLU())))
        self.keypoint_predictor = nn.Module()
        last = nn.ConvTranspose2d(widths[-1], num_keypoints, kernel_size=4, stride=2, padding=1)
        self.keypoint_predictor.kps_score_lowres = last
        for layer in layers:
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu", generator=generator)
            nn.init.zeros_(layer.bias)
        nn.init.normal_(last.weight, std=0.001, generator=generator)
        nn.init.zeros_(last.bias)

    def forward(self, pooled: Tensor) -> Tensor:
        """Pooled features (R, C, b, b) -> logits (R, K, 4 b, 4 b)."""
        coarse = self.keypoint_predictor.kps_score_lowres(self.keypoint_head(pooled))  # (R, K, 2 b, 2 b)
        if len(coarse) == 0:  # interpolate refuses to make no map
            return coarse.repeat(1, 1, 2, 2)
        return F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)


def keypoint_targets(keypoints: Tensor, boxes: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Which of the m m cells of its region each keypoint is in: index (R, K) int64, valid (R, K) bool.

    Parameters
    ----------
    keypoints : (R, K, 3) x, y, visibility of the object of each RoI, in the pixels of the boxes.
    boxes : (R, 4) RoIs.
    size : m. Cell (i, j), row i and column j, has index m i + j.

    A keypoint is valid if it is annotated, hidden or not, and lies in its RoI, borders included: what lies on the right
    or lower border is in the last cell. The index of one that is not valid is 0. Equal to torchvision's
    ``keypoints_to_heatmap``. Raises ValueError for shapes that do not fit, a keypoint that is not finite, and a RoI
    without area.

    >>> keypoint_targets(torch.tensor([[[3.0, 1.0, 2.0], [9.0, 1.0, 2.0]]]), torch.tensor([[2.0, 0.0, 6.0, 4.0]]), 4)
    (tensor([[5, 0]]), tensor([[ True, False]]))
    """
    require_positive_area(boxes)
    if keypoints.ndim != 3 or keypoints.shape[2] != 3:
        raise ValueError(f"keypoints must have shape (R, K, 3), got {tuple(keypoints.shape)}")
    if boxes.shape != (len(keypoints), 4):
        raise ValueError(f"boxes must have shape (R, 4) with R = {len(keypoints)}, got {tuple(boxes.shape)}")
    if not torch.isfinite(keypoints).all():
        first = torch.nonzero(~torch.isfinite(keypoints).all(dim=2))[0].tolist()
        raise ValueError(f"keypoints[{first[0]}, {first[1]}] is not finite: {keypoints[tuple(first)].tolist()}")
    points, low, high = keypoints[..., :2], boxes[:, None, :2], boxes[:, None, 2:]  # (R, K, 2), (R, 1, 2) twice
    cells = ((points - low) * (size / (high - low))).floor().long()  # (R, K, 2) column, row
    cells = torch.where(points == high, size - 1, cells)
    valid = ((cells >= 0) & (cells < size)).all(dim=2) & (keypoints[..., 2] > 0)  # (R, K)
    return torch.where(valid, size * cells[..., 1] + cells[..., 0], 0), valid


def keypoint_loss(logits: Tensor, index: Tensor, valid: Tensor) -> dict[str, Tensor]:
    """Mean cross-entropy of a softmax over the m m positions of each valid keypoint (section 5).

    Parameters
    ----------
    logits : (R, K, m, m).
    index, valid : (R, K), of `keypoint_targets`.

    A keypoint competes with itself elsewhere, not with other keypoints. Returns {"keypoint"}; zero, with a gradient,
    where none is valid. Equal to torchvision's ``keypointrcnn_loss``. Raises ValueError for shapes that do not fit.
    """
    for name, values in (("index", index), ("valid", valid)):
        if values.shape != logits.shape[:2]:
            raise ValueError(f"{name} must have shape {tuple(logits.shape[:2])}, got {tuple(values.shape)}")
    chosen = logits.flatten(2)[valid]  # (V, m m)
    return {"keypoint": F.cross_entropy(chosen, index[valid], reduction="sum") / divisor(len(chosen))}


def decode_keypoints(heatmaps: Tensor, boxes: Tensor, shrink: bool = False) -> Tensor:
    """The most likely place of each keypoint: (R, K, 3) of x, y in the pixels of the boxes, and its score.

    Parameters
    ----------
    heatmaps : (R, K, m, m) logits.
    boxes : (R, 4).
    shrink : True also resizes maps that are finer than the pixels of their box. That reads them at each pixel's centre
        only and may step over a peak; torchvision does it.

    Each map is resized to the pixels of its box by cubic interpolation; the place is the centre of the pixel with the
    largest value, and that value, a logit, is the score. So a point is found more finely than its cell, and where
    `keypoint_targets` put it. With `shrink` equal to torchvision's ``heatmaps_to_keypoints``, which returns the scores
    apart; without it, too, for boxes of at least m x m pixels. One region's maps are resized at a time. A box less than
    a pixel wide or high is taken as one pixel. Raises ValueError for shapes that do not fit.

    >>> peak = torch.zeros(1, 1, 4, 4)
    >>> peak[0, 0, 1, 2] = 5.0
    >>> decode_keypoints(peak, torch.tensor([[10.0, 10.0, 12.0, 12.0]]))  # cells of half a pixel
    tensor([[[11.2500, 10.7500,  5.0000]]])
    """
    require_boxes(boxes)
    if heatmaps.ndim != 4 or boxes.shape != (len(heatmaps), 4):
        raise ValueError(
            f"heatmaps (R, K, m, m) and boxes (R, 4) must fit, got {tuple(heatmaps.shape)} and {tuple(boxes.shape)}"
        )
    found = heatmaps.new_zeros(*heatmaps.shape[:2], 3)
    if found.numel() == 0:  # interpolate refuses to make no map
        return found
    sides = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1)  # (R, 2) width, height
    pixels = sides.ceil().clamp(min=1 if shrink else heatmaps.shape[-1])
    for maps, box, side, size, points in zip(heatmaps, boxes, sides, pixels, found, strict=True):
        width, height = size.int().tolist()
        fine = F.interpolate(maps[None], size=(height, width), mode="bicubic", align_corners=False)[0]  # (K, h, w)
        points[:, 2], best = fine.flatten(1).max(dim=1)  # (K,) twice
        places = torch.stack((best % width, best // width), dim=1) + 0.5  # (K, 2) in resized pixels
        points[:, :2] = box[:2] + places * (side / size)
    return found
