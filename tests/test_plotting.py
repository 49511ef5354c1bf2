"""Figures: what is drawn where, read back from matplotlib's own objects, and colours that survive colour blindness."""

import itertools

import matplotlib
import numpy as np
import pytest
import torch
from skimage.color import deltaE_ciede2000, rgb2lab

matplotlib.use("Agg")
from matplotlib import pyplot as plt

from rcnn_lite import family, plotting
from rcnn_lite.models import pictures

BOXES = torch.tensor([[2.0, 1.0, 6.0, 4.0], [0.0, 0.0, 8.0, 5.0]])
BOX_COLORS = ("GROUND_TRUTH", "PROPOSAL", "POSITIVE", "NEGATIVE", "DETECTION")
CLASSES = ("background", "cat", "cup")


@pytest.fixture
def ax():
    figure, ax = plt.subplots()
    yield ax
    plt.close(figure)


def rectangles(ax):
    return [path.vertices[[0, 2]].ravel().tolist() for c in ax.collections for path in c.get_paths()]


def test_a_picture_lies_in_the_coordinates_of_its_boxes(ax):
    assert plotting.show_image(ax, torch.zeros(3, 5, 8), "empty") is ax
    assert ax.images[0].get_extent() == [0, 8, 5, 0]
    assert ax.get_title() == "empty"
    plotting.show_image(ax, np.full((5, 8, 3), 9, np.uint8))
    assert ax.images[1].get_array().max() == 9


def test_boxes_are_drawn_at_their_corners_with_their_names(ax):
    plotting.draw_boxes(ax, BOXES, plotting.GROUND_TRUTH, ["one", "two"])
    assert rectangles(ax) == BOXES.tolist()
    assert [(t.get_text(), t.get_position()) for t in ax.texts] == [("one", (2, 1)), ("two", (0, 0))]
    with pytest.raises(ValueError, match="2 boxes, 1 names"):
        plotting.draw_boxes(ax, BOXES, plotting.GROUND_TRUTH, ["one"])


def test_nothing_to_draw_is_fine(ax):
    plotting.draw_boxes(ax, torch.empty(0, 4), plotting.PROPOSAL)
    plotting.draw_masks(ax, torch.empty(0, 5, 8), plotting.PROPOSAL)
    assert rectangles(ax) == []


def test_detections_below_the_score_are_left_out(ax):
    masks = torch.zeros(2, 1, 5, 8)
    masks[1, 0, 2, 3] = 0.9
    detection = {"boxes": BOXES, "labels": torch.tensor([1, 2]), "scores": torch.tensor([0.3, 0.8]), "masks": masks}
    plotting.draw_detections(ax, detection, CLASSES, min_score=0.5)
    assert [t.get_text() for t in ax.texts] == ["cup 0.80"]
    assert rectangles(ax) == [BOXES[1].tolist()]
    layer = ax.images[0].get_array()
    assert np.argwhere(layer[..., 3] > 0).tolist() == [[2, 3]]


def test_targets_and_keypoints(ax):
    plotting.draw_target(ax, {"boxes": BOXES, "labels": torch.tensor([2, 1])}, CLASSES)
    assert [t.get_text() for t in ax.texts] == ["cup", "cat"]
    plotting.draw_keypoints(ax, torch.tensor([[[1.0, 2.0, 2.0], [3.0, 4.0, 1.0], [5.0, 6.0, 0.0]]]))
    seen, hidden = ax.collections[-2:]
    assert seen.get_offsets().tolist() == [[1, 2]]
    assert hidden.get_offsets().tolist() == [[3, 4]]
    assert len(hidden.get_facecolors()) == 0


def test_precision_recall_is_a_staircase(ax):
    plotting.draw_precision_recall(ax, torch.tensor([0.0, 0.5, 1.0]), torch.tensor([1.0, 1.0, 0.6]), "cat")
    (line,) = ax.lines
    assert line.get_drawstyle() == "steps-post"
    assert line.get_xydata().tolist() == [[0, 1], [0.5, 1], [1, pytest.approx(0.6)]]


def test_cards_and_arrows_lie_where_they_are_put(ax):
    assert plotting.draw_card(ax, (1, 2), (3, 0.5), "warp", plotting.POSITIVE, solid=True) is ax
    (card,) = ax.patches
    assert card.get_bbox().bounds == (1, 2, 3, 0.5)
    assert matplotlib.colors.to_hex(card.get_facecolor()) == plotting.POSITIVE
    assert [(t.get_text(), t.get_position()) for t in ax.texts] == [("warp", (2.5, 2.25))]
    plotting.draw_card(ax, (1, 5), (3, 0.5), "each", plotting.POSITIVE, stack=True)
    assert [p.get_bbox().y0 for p in ax.patches[1:]] == pytest.approx([4.9, 4.95, 5.0]), "the top one is drawn last"
    assert min(ax.patches[-1].get_facecolor()) > 0.85, "black text stands on it"
    assert plotting.draw_arrow(ax, (0, 0), (1, 2)) is ax
    arrow = ax.texts[-1]
    assert (arrow.xyann, arrow.xy, arrow.get_text()) == ((0, 0), (1, 2), "")


def test_the_line_under_a_figure():
    assert plotting.describe_boxes("proposals", BOXES.repeat(3, 1), limit=1) == "6 proposals: [2 1 6 4], ..."
    assert plotting.describe_boxes("proposals", torch.empty(0, 4)) == "0 proposals"


# Machado, Oliveira, Fernandes 2009, "A Physiologically-based Model for Simulation of Color Vision Deficiency": the
# matrices of severity 1.0, for linear RGB.
VISION = {
    "normal": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TOGETHER = {  # colours that meet in a figure, and how far apart they must be; columns of the family have headings too
    "boxes": ({name: getattr(plotting, name) for name in BOX_COLORS}, 15),
    "losses": (plotting.LOSSES, 15),
    "family": ({**family.COLORS, "shared": family.SHARED}, 10),
}


def seen_as(color, vision):
    """A colour in CIELAB, as somebody with this vision sees it."""
    rgb = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.asarray(VISION[vision]) @ linear, 0, 1)
    return rgb2lab(np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)[None, None])[0, 0]


def alike(colors, vision, least):
    """The pairs of colours that are less than ``least`` apart (CIEDE2000)."""
    pairs = itertools.combinations(colors, 2)
    apart = {pair: deltaE_ciede2000(*(seen_as(colors[name], vision) for name in pair)) for pair in pairs}
    return {pair: round(float(distance), 1) for pair, distance in apart.items() if distance < least}


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("figure", TOGETHER)
def test_colours_that_meet_differ_for_every_reader(figure, vision):
    colors, least = TOGETHER[figure]
    assert alike(colors, vision, least) == {}


def test_colours_that_look_alike_to_some_are_found():
    pair = {"red": "#e41a1c", "brown": "#8c510a", "green": "#3a8c3a"}
    assert alike(pair, "normal", 15) == {}
    assert ("brown", "green") in alike(pair, "deutan", 15)
    assert alike({"blue": "#1f77b4", "teal": "#17827f"}, "tritan", 15).keys() == {("blue", "teal")}


def test_pictures_without_matplotlib_have_the_same_colours():
    assert (pictures.RED, pictures.GREEN) == (plotting.DETECTION, plotting.GROUND_TRUTH)


def test_losses_are_means_of_the_last_iterations(ax):
    """Window 2 over 4, 2, 0, 6: 4, 3, 1, 3."""
    history = [{"classification": v, "box_regression": 2 * v} for v in (4.0, 2.0, 0.0, 6.0)]
    plotting.draw_losses(ax, history, window=2)
    first, second = ax.get_lines()
    assert first.get_ydata().tolist() == [4, 3, 1, 3]
    assert second.get_ydata().tolist() == [8, 6, 2, 6]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["classification", "box regression"]
    assert len(plotting.draw_losses(ax, []).get_lines()) == 2  # nothing to draw yet


def test_a_loss_has_its_colour_whatever_is_drawn_beside_it(ax):
    plotting.draw_losses(ax, [{"objectness": 1.0, "classification": 2.0, "another": 3.0}])
    plotting.draw_losses(ax, [{"classification": 2.0}])
    objectness, classification, another, again = [line.get_color() for line in ax.get_lines()]
    assert classification == again == plotting.LOSSES["classification"]
    assert len({objectness, classification, another}) == 3


def test_live_losses_draw_one_picture_again_and_again(monkeypatch):
    shown, updated = [], []

    class Handle:
        def update(self, figure):
            updated.append(figure)

    monkeypatch.setattr("IPython.display.display", lambda figure, display_id: shown.append(figure) or Handle())
    report, history = plotting.LiveLosses(every=3), []
    for value in range(10):
        history.append({"loss": float(value)})
        report(history)
    assert (len(shown), len(updated)) == (1, 2)
    assert len(updated[-1].axes[0].get_lines()[0].get_xdata()) == 9
