"""Templates on a pyramid: a detector set by hand, shared features against windows cut out one by one, and training."""

import itertools

import pytest
import torch
from torch import Tensor

from rcnn_lite.boxes import box_iou
from rcnn_lite.checkpoints import load_checkpoint, save_checkpoint
from rcnn_lite.evaluation import evaluate_voc
from rcnn_lite.heads.svm import Negatives, SVMSettings
from rcnn_lite.models.hog_detector import HOGDetector, HOGSettings
from rcnn_lite.models.hog_training import (
    PICTURE,
    HOGTraining,
    hog_of_box,
    mine,
    template_shapes,
    train,
    window_features,
    window_on,
)
from rcnn_lite.models.loading import load_model
from rcnn_lite.proposals.sliding_window import pyramid, sliding_windows
from rcnn_lite.regions.hog import CHANNELS, hog_blocks

CLASSES = ("background", "square", "bar")


def random_detector(generator, **settings) -> HOGDetector:
    """Templates of 4 x 4 and 5 x 3 cells with random weights."""
    model = HOGDetector(CLASSES, torch.tensor([[2, 2], [4, 4], [5, 3]]), HOGSettings(cell=4, **settings))
    for label in (1, 2):
        template = model.template(label)
        template.copy_(torch.randn(template.shape, generator=generator) / 10)
        model.bias[label] = label / 10
    return model


def test_every_score_is_that_of_its_window_alone(generator):
    """The window is cut out of its level with one pixel of surroundings, put on cells by itself, and multiplied with
    the template. Scores and boxes come in the same order.
    """
    model, image = random_detector(generator), torch.rand(3, 50, 39, generator=generator)
    maps, size = model.maps(image), (50, 39)
    for label, (rows, columns) in ((1, (4, 4)), (2, (5, 3))):
        boxes, scales, place = model.windows(size, label), model.scales(size, label), 0
        assert torch.equal(boxes, sliding_windows(size, (4 * rows, 4 * columns), 4, scales))
        for level, scale, scores in zip(pyramid(image, scales), scales, model.scores(maps, label), strict=True):
            for y, x in itertools.product(range(scores.shape[0]), range(scores.shape[1])):
                corners = torch.tensor([4 * x, 4 * y, 4 * (x + columns), 4 * (y + rows)])
                torch.testing.assert_close(boxes[place], corners * scale)
                place += 1
                if min(x, y) < 1 or corners[2] + 4 > level.shape[2] or corners[3] + 4 > level.shape[1]:
                    continue  # at the border there is nothing around it
                crop = level[:, 4 * y - 4 : corners[3] + 4, 4 * x - 4 : corners[2] + 4]
                alone = hog_blocks(crop, 4)[:, 1:-1, 1:-1]
                score = float((alone * model.template(label)).sum() + model.bias[label])
                assert score == pytest.approx(float(scores[y, x]), abs=1e-4)
        assert place == len(boxes) > 50


def test_features_of_windows_are_what_the_template_is_multiplied_with(generator):
    model, image = random_detector(generator), torch.rand(3, 40, 60, generator=generator)
    maps = model.maps(image)
    for label in (1, 2):
        scores = torch.cat([s.flatten() for s in model.scores(maps, label)])
        some = torch.tensor([len(scores) - 1, 0, 17, 3])
        features = window_features(model, maps, label, some)
        products = features @ model.template(label).flatten() + model.bias[label]
        torch.testing.assert_close(products, scores[some], rtol=0, atol=1e-4)
        assert window_features(model, maps, label, some[:0]).shape == (0, features.shape[1])


def an_edge(left: int) -> Tensor:
    """64 x 64 pixels, black, white from column ``left`` on."""
    image = torch.zeros(3, 64, 64)
    image[:, :, left:] = 1.0
    return image


def edge_detector(**settings) -> HOGDetector:
    """Fires on windows of 4 x 2 cells in whose middle a vertical edge stands: 3 blocks of 4 votes of 1/2 each."""
    model = HOGDetector(("background", "edge"), torch.tensor([[2, 2], [4, 2]]), HOGSettings(cell=4, **settings))
    model.template(1).view(4, 9, 3, 1)[:, 0] = 1.0
    model.bias[1] = -5.0
    return model


def test_detect_by_hand():
    """The edge at x = 32 is in the middle of the windows from 28 to 36; each of their three blocks gives 4 x 1/2, so
    the score is 6 - 5 = 1. Blocks beside it see an edge in two of their cells only, or none.
    """
    model = edge_detector(per_octave=1, score_threshold=0.9, nms_iou=0.1)
    (found,) = model.detect([an_edge(32)])
    assert found["labels"].unique().tolist() == [1]
    assert float(found["scores"].max()) == pytest.approx(1.0, abs=1e-3)
    assert found["boxes"][:, [0, 2]].mean(dim=1).tolist() == pytest.approx([32.0] * len(found["boxes"]))
    assert bool((found["scores"][:-1] >= found["scores"][1:]).all())
    assert float(box_iou(found["boxes"], found["boxes"]).fill_diagonal_(0).max()) <= 0.1


def test_settings_limit_what_is_found():
    (everything,) = edge_detector(score_threshold=-9.0).detect([an_edge(30)])
    assert len(edge_detector(max_detections=3).detect([an_edge(30)])[0]["scores"]) == 3
    (few,) = edge_detector(score_threshold=-9.0, max_candidates=4, nms_iou=1.0).detect([an_edge(30)])
    assert len(few["scores"]) == 4 < len(everything["scores"])
    torch.testing.assert_close(few["scores"][0], everything["scores"][0])


@pytest.mark.parametrize("size", [(1, 1), (15, 200), (200, 7), (16, 16)])
def test_pictures_that_hardly_hold_a_window(size, generator):
    model = random_detector(generator, score_threshold=-99.0, nms_iou=1.0)
    (found,) = model.detect([torch.rand(3, *size, generator=generator)])
    fits = sum(size[0] >= h and size[1] >= w for h, w in ((16, 16), (20, 12)))
    assert len(found["scores"]) == fits
    assert found["boxes"].shape == (fits, 4)


def test_one_colour_scores_the_bias(generator):
    model = random_detector(generator, score_threshold=-99.0)
    (found,) = model.detect([torch.full((3, 64, 64), 0.3)])
    scores = found["scores"][found["labels"] == 2]
    assert scores.tolist() == pytest.approx([0.2] * len(scores), abs=1e-3)
    assert len(scores) > 5


def test_fresh_from_the_constructor_it_never_fires():
    model = HOGDetector(CLASSES, torch.full((3, 2), 4))
    assert len(model.detect([torch.rand(3, 64, 64)])[0]["scores"]) == 0
    assert model.detect([]) == []


@pytest.mark.parametrize("shapes", [[[4, 4], [4, 4]], [[4, 4], [4, 1], [4, 4]], [[4], [4], [4]]])
def test_bad_shapes_are_refused(shapes):
    with pytest.raises(ValueError, match="shapes must hold rows and columns, at least 2, for each of 3 classes"):
        HOGDetector(CLASSES, torch.tensor(shapes))


def test_the_checkpoint_brings_it_back(generator, tmp_path):
    model, image = random_detector(generator, nms_iou=0.2), torch.rand(3, 64, 64, generator=generator)
    save_checkpoint(tmp_path / "a", *model.to_checkpoint(), half=False)
    again, _ = load_model(tmp_path / "a")
    assert again.settings == model.settings
    assert again.classes == CLASSES
    for a, b in zip(model.detect([image]), again.detect([image]), strict=True):
        assert all(torch.equal(a[key], b[key]) for key in a)
    tensors, description = load_checkpoint(tmp_path / "a")
    with pytest.raises(ValueError, match="do not fit its description of a HOG detector"):
        HOGDetector.from_checkpoint(tensors | {"bias": torch.zeros(2)}, description)


# Training.


class Squares:
    """Noise of 64 x 64 pixels with a bright square of 16 to 31 pixels in three of four pictures, no bar anywhere."""

    classes = CLASSES

    def __init__(self, length):
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        image = 0.2 * torch.rand(3, 64, 64, generator=generator)
        if index % 4 == 0:
            return image, {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
        side = int(torch.randint(16, 32, (1,), generator=generator))
        x, y = torch.randint(0, 64 - side, (2,), generator=generator).tolist()
        image[:, y : y + side, x : x + side] += 0.7
        box = torch.tensor([[x, y, x + side, y + side]]).float()
        crowd = {"boxes": torch.cat((box, torch.tensor([[0.0, 0, 64, 9]]))), "labels": torch.tensor([1, 1])}
        return image, crowd | {"iscrowd": torch.tensor([0, 1])}


SMALL = HOGTraining(root_cells=16, svm=SVMSettings(C=0.01, max_rounds=2, max_new=60), max_per_image=5)


@pytest.fixture(scope="module")
def trained():
    return train(Squares(16), SMALL)


def test_a_trained_detector_finds_squares_it_has_not_seen(trained):
    model, rounds = trained
    unseen = [Squares(40)[i] for i in range(16, 40)]
    truth = [{key: value[:1] for key, value in target.items()} for _, target in unseen]
    result = evaluate_voc(model.detect([image for image, _ in unseen]), truth)
    assert result["AP"][1] > 0.6
    assert [line["round"] for line in rounds] == [*range(1, len(rounds) + 1)]
    assert rounds[0]["added"][1] > 0


def test_a_class_without_positives_never_fires(trained):
    model, rounds = trained
    assert model.bias[2] == -float("inf")
    assert rounds[0]["added"][2] == 0


def test_training_can_be_repeated():
    first, second = (train(Squares(5), SMALL)[0] for _ in range(2))
    assert torch.equal(first.weight, second.weight)
    assert torch.equal(first.bias, second.bias)


def test_a_data_set_without_any_object():
    class Empty(Squares):
        def __getitem__(self, index):
            return super().__getitem__(0)

    model, rounds = train(Empty(2), SMALL)
    assert bool(torch.isinf(model.bias).all())
    assert rounds == [{"round": 1, "added": [0, 0, 0], "held": [0, 0, 0]}]
    assert model.shapes.tolist() == [[4, 4]] * 3


def test_mined_windows_are_hard_new_and_no_objects(trained):
    model, data = trained[0], Squares(8)
    nothing = [
        Negatives(torch.zeros(0, model.template(k).numel()), torch.zeros(0, dtype=torch.int64)) for k in range(3)
    ]
    settings = HOGTraining(svm=SVMSettings(hard_score=-2.0, max_new=12), max_per_image=4)
    (_, found, none) = mine(model, data, nothing, settings)
    assert len(none.rows) == 0
    assert len(found.rows) == 12
    scores = found.features @ model.template(1).flatten() + model.bias[1]
    assert bool((scores[:-1] >= scores[1:] - 1e-4).all())
    assert float(scores.min()) > -2.0
    for row in found.rows.tolist():
        picture, place = divmod(row, PICTURE)
        box = model.windows((64, 64), 1)[place : place + 1]
        objects = data[picture][1]["boxes"][:1]
        assert float(box_iou(box, objects).sum()) < 0.3
    assert (found.rows // PICTURE).bincount().max() <= 4
    (_, again, _) = mine(model, data, [nothing[0], found, nothing[2]], settings)
    assert not set(again.rows.tolist()) & set(found.rows.tolist())


def test_template_shapes_by_hand():
    """Aspect ratios h / w 1, 4, 4 of class 1: median 4, so 36 cells are 12 x 3. Class 2 has no object: a square."""
    boxes = torch.tensor([[0.0, 0, 5, 5], [0, 0, 5, 20], [3, 0, 4, 4]])
    targets = [{"boxes": boxes, "labels": torch.tensor([1, 1, 1])}]
    assert template_shapes(targets, 3, root_cells=36).tolist()[1:] == [[12, 3], [6, 6]]
    assert template_shapes([], 2, root_cells=36).tolist()[1] == [6, 6]
    flat = [{"boxes": torch.tensor([[0.0, 0, 100, 2]]), "labels": torch.tensor([1])}]
    assert template_shapes(flat, 2, root_cells=36).tolist()[1] == [2, 42]


def test_the_window_on_a_box_by_hand():
    """A box of 8 x 2 around (4, 1): area 16, so a window twice as high as wide is 2 sqrt 8 by sqrt 8."""
    window = window_on(torch.tensor([0.0, 0.0, 8.0, 2.0]), (4, 2))
    half_width, half_height = 8**0.5 / 2, 8**0.5
    assert window.tolist() == pytest.approx([4 - half_width, 1 - half_height, 4 + half_width, 1 + half_height])


def test_a_box_on_the_grid_gives_the_blocks_of_the_map(generator):
    """hog_of_box cuts a cell's width more, so that it agrees with the shared map everywhere."""
    image = torch.rand(3, 40, 48, generator=generator)
    shared = hog_blocks(image, 4)[:, 2:7, 3:7]
    alone = hog_of_box(image, torch.tensor([12.0, 8.0, 32.0, 32.0]), shape=(6, 5), cell=4)
    torch.testing.assert_close(alone, shared, rtol=0, atol=1e-4)  # pixels were rounded to 1/256 of a step


def test_a_box_at_the_border_sees_the_last_pixels_go_on():
    image = torch.zeros(3, 16, 16)
    image[:, :, 8:] = 1.0  # an edge in the middle; beyond the picture nothing new happens
    blocks = hog_of_box(image, torch.tensor([0.0, 0.0, 16.0, 16.0]), shape=(4, 4), cell=4)
    assert float(blocks[:, :, 0].abs().sum()) > 0  # cells 0 and 1: the edge's left pixel
    image[:, :, 8:] = 0.0
    assert float(hog_of_box(image, torch.tensor([0.0, 0.0, 16.0, 16.0]), (4, 4), 4).abs().sum()) == 0


@pytest.mark.parametrize("box", [[3.0, 3.0, 3.0, 9.0], [4.2, 4.2, 4.4, 4.4], [-20.0, -20.0, -5.0, -5.0]])
def test_boxes_without_area_or_outside_have_a_descriptor(box):
    blocks = hog_of_box(torch.rand(3, 12, 12), torch.tensor(box), (3, 4), 4)
    assert blocks.shape == (CHANNELS, 2, 3)
    assert bool(torch.isfinite(blocks).all())
