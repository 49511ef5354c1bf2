"""Pictures of the course: every function takes an ``ax`` and returns it, so that figures are composed, not configured.

One colour means one thing throughout. The colours that meet in a figure differ for colour-blind readers too: a test
simulates the three kinds of colour blindness and holds them at least 15 apart (CIEDE2000).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle
from torch import Tensor

from rcnn_lite.images import tensor_to_image

GROUND_TRUTH = "#43cc93"  # green
PROPOSAL = "#8c8c8c"  # grey
POSITIVE = "#1f77b4"  # blue
NEGATIVE = "#ffb000"  # orange
DETECTION = "#e41a1c"  # red
LOSSES = {  # by name, so that a loss looks the same in every figure
    "classification": "#6a3d9a",
    "box_regression": "#b15928",
    "objectness": "#333333",
    "rpn_box_regression": "#17becf",
    "mask": "#bcbd22",
    "keypoint": "#fb9a99",
}


def show_image(ax: Axes, image: Tensor | np.ndarray, title: str = "") -> Axes:
    """Draw a picture, float (3, H, W) in [0, 1] or uint8 (H, W, 3), in the coordinates of its boxes.

    Pixel (0, 0) covers the square from 0 to 1, so a box lies on the edges between pixels (notebook 01).
    """
    pixels = tensor_to_image(image) if isinstance(image, Tensor) else np.asarray(image)
    height, width = pixels.shape[:2]
    ax.imshow(pixels, extent=(0, width, height, 0), interpolation="nearest", cmap="gray")
    ax.set_title(title, fontsize=10)
    ax.set_axis_off()
    return ax


def draw_boxes(
    ax: Axes, boxes: Tensor, color: str, names: Sequence[str] | None = None, linewidth: float = 2.0, alpha: float = 1.0
) -> Axes:
    """Draw boxes (N, 4) as outlines of one colour; ``names``, one for each box, stand at their upper left."""
    boxes = torch.as_tensor(boxes).detach().reshape(-1, 4)
    if names is not None and len(names) != len(boxes):
        raise ValueError(f"names must have one entry for each box: {len(boxes)} boxes, {len(names)} names")
    patches = [Rectangle((x1, y1), x2 - x1, y2 - y1) for x1, y1, x2, y2 in boxes.tolist()]
    style = {"facecolor": "none", "edgecolor": color, "linewidth": linewidth, "alpha": alpha}
    ax.add_collection(PatchCollection(patches, match_original=False, **style))
    for (x1, y1, _, _), name in zip(boxes.tolist(), names or [""] * len(boxes), strict=True):
        if name:
            write(ax, x1, y1, name, color)
    ax.autoscale_view()
    return ax


def write(ax: Axes, x: float, y: float, text: str, color: str) -> Axes:
    """Write ``text`` on a ground of ``color`` at (x, y) in data coordinates, just inside the corner of a box."""
    light = np.dot(_rgb(color), (0.299, 0.587, 0.114)) > 0.5
    ground = {"facecolor": color, "edgecolor": "none", "pad": 1.0, "alpha": 0.9}
    ax.text(x, y, text, fontsize=8, color="black" if light else "white", va="top", ha="left", bbox=ground, clip_on=True)
    return ax


def draw_detections(
    ax: Axes, detection: dict[str, Tensor], classes: Sequence[str], min_score: float = 0.0, color: str = DETECTION
) -> Axes:
    """Draw the boxes of a detection whose score is at least ``min_score`` as "name 0.87", masks too if it has them."""
    shown = detection["scores"] >= min_score
    names = [
        f"{classes[label]} {score:.2f}"
        for label, score in zip(detection["labels"][shown].tolist(), detection["scores"][shown].tolist(), strict=True)
    ]
    if "masks" in detection:
        draw_masks(ax, detection["masks"][shown][:, 0] >= 0.5, color)
    return draw_boxes(ax, detection["boxes"][shown], color, names)


def draw_target(ax: Axes, target: dict[str, Tensor], classes: Sequence[str], color: str = GROUND_TRUTH) -> Axes:
    """Draw a target's boxes with their class names."""
    return draw_boxes(ax, target["boxes"], color, [classes[label] for label in target["labels"].tolist()])


def draw_masks(ax: Axes, masks: Tensor, color: str, alpha: float = 0.45) -> Axes:
    """Lay masks (N, H, W), true inside the object, over a picture in one translucent colour."""
    masks = torch.as_tensor(masks).detach().bool()
    if len(masks) == 0:
        return ax
    height, width = masks.shape[1:]
    layer = np.zeros((height, width, 4), dtype=np.float32)
    layer[masks.any(dim=0).cpu().numpy()] = (*_rgb(color), alpha)
    ax.imshow(layer, extent=(0, width, height, 0), interpolation="nearest")
    return ax


def draw_keypoints(ax: Axes, keypoints: Tensor, color: str = GROUND_TRUTH) -> Axes:
    """Mark keypoints (N, K, 3) of x, y, visibility: a disc if visible (2), a ring if hidden (1), nothing if 0."""
    points = torch.as_tensor(keypoints).detach().reshape(-1, 3)
    for visibility, ground in ((2, color), (1, "none")):
        x, y, _ = points[points[:, 2] == visibility].T.numpy()
        ax.scatter(x, y, s=24, facecolors=ground, edgecolors=color, linewidths=1.5, zorder=3)
    return ax


def draw_precision_recall(
    ax: Axes, recall: Tensor | np.ndarray, precision: Tensor | np.ndarray, label: str = "", color: str = DETECTION
) -> Axes:
    """Draw precision against recall as the staircase that it is, both axes from 0 to 1."""
    ax.plot(np.asarray(recall), np.asarray(precision), drawstyle="steps-post", color=color, linewidth=1.8, label=label)
    ax.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="recall", ylabel="precision")
    ax.grid(alpha=0.3)
    return ax


def draw_losses(ax: Axes, history: Sequence[dict[str, float]], window: int = 25) -> Axes:
    """Draw each loss of a training, {name: value} of each iteration, as the mean of the last ``window`` iterations."""
    for name in history[0] if history else ():
        sums = np.cumsum([0.0] + [line[name] for line in history])
        ends = np.arange(1, len(history) + 1)
        starts = np.maximum(ends - window, 0)
        means = (sums[ends] - sums[starts]) / (ends - starts)
        ax.plot(ends, means, color=LOSSES.get(name), label=name.replace("_", " "))
    ax.set(xlabel="iteration", ylabel=f"loss, mean of {window}", ylim=(0, None))
    ax.grid(alpha=0.3)
    if history:
        ax.legend(fontsize=8)
    return ax


def draw_scores(ax: Axes, scores: dict[int, float], label: str = "AP50, held-out pictures") -> Axes:
    """Draw what was measured in the course of a training, {iteration: value from 0 to 1}; the best has its value."""
    iterations = sorted(scores)
    ax.plot(iterations, [scores[i] for i in iterations], "o-", color=DETECTION, label=label)
    if iterations:
        best = max(iterations, key=scores.get)
        offset = (0, -14 if scores[best] > 0.5 else 8)
        ax.annotate(f"{scores[best]:.3f}", (best, scores[best]), offset, textcoords="offset points", ha="center")
    ax.set(xlabel="iteration", ylabel=label, ylim=(0, 1.02))
    ax.grid(alpha=0.3)
    return ax


def save_curves(file: Path, history: Sequence[dict[str, float]], scores: dict[int, float]) -> None:
    """A picture file of `draw_losses` and, where there are any, `draw_scores`."""
    figure = Figure(figsize=(10 if scores else 5.5, 3.6), dpi=100, layout="constrained")
    axes = figure.subplots(1, 1 + bool(scores), squeeze=False)[0]
    draw_losses(axes[0], history, window=max(1, min(25, len(history) // 10)))
    if scores:
        draw_scores(axes[1], scores)
    figure.savefig(file)


class LiveLosses:
    """A ``report`` for `training.fit` in a notebook: one picture of the losses, anew every ``every`` iterations."""

    def __init__(self, every: int = 25):
        self.every, self.handle = every, None

    def __call__(self, history: Sequence[dict[str, float]]) -> None:
        """Draw the losses so far in the place of the picture before."""
        if len(history) % self.every:
            return
        from IPython.display import display  # a notebook has it

        figure = Figure(figsize=(6, 2.6), dpi=80, layout="constrained")
        draw_losses(figure.subplots(), history, self.every)
        if self.handle is None:
            self.handle = display(figure, display_id=True)
        else:
            self.handle.update(figure)


def draw_card(
    ax: Axes, corner: tuple[float, float], size: tuple[float, float], text: str, color: str, solid: bool = False,
    stack: bool = False,
) -> Axes:  # fmt: skip
    """Draw a step of a diagram: a rounded box of ``size`` (width, height) whose lower left corner is at ``corner``.

    ``solid`` fills it with its colour, else only its edge has it; a ``stack`` of three stands for "many times".
    """
    (x, y), (width, height) = corner, size
    face = color if solid else tuple(1 - 0.12 * (1 - value) for value in _rgb(color))
    for number in (2, 1, 0) if stack else (0,):
        place = (x + 0.05 * number, y - 0.05 * number)
        style = {"facecolor": face, "edgecolor": "white" if solid else color, "linewidth": 1.0}
        ax.add_patch(FancyBboxPatch(place, width, height, boxstyle="round,pad=0,rounding_size=0.08", **style))
    color = "white" if solid else "black"
    ax.text(x + width / 2, y + height / 2, text, fontsize=9, color=color, ha="center", va="center", linespacing=1.05)
    return ax


def draw_arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], color: str = "#333333") -> Axes:
    """Draw an arrow between two points of a diagram, or of a picture (a box that moves)."""
    style = {"arrowstyle": "-|>", "color": color, "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", end, start, arrowprops=style)
    return ax


def describe_boxes(what: str, boxes: Tensor, limit: int = 3) -> str:
    """The line printed under a figure: how many boxes of what, and the first few with whole coordinates.

    >>> describe_boxes("ground truth", torch.tensor([[1.2, 2.0, 30.6, 40.0]]))
    '1 ground truth: [1 2 31 40]'
    """
    boxes = torch.as_tensor(boxes).detach().reshape(-1, 4)
    rows = ["[" + " ".join(f"{value:.0f}" for value in box) + "]" for box in boxes[:limit].tolist()]
    more = ["..."] if len(boxes) > limit else []
    return f"{len(boxes)} {what}" + (": " + ", ".join(rows + more) if rows else "")


def _rgb(color: str) -> tuple[float, ...]:
    """'#rrggbb' as three numbers in [0, 1]."""
    return tuple(int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
