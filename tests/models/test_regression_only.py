"""One box a class from the whole picture: by hand on a backbone of one pooling layer, its training, and its limits."""

import pytest
import torch
from torch import Tensor, nn

from rcnn_lite.boxes import box_iou
from rcnn_lite.checkpoints import load_checkpoint, save_checkpoint
from rcnn_lite.heads.ridge import LinearMap
from rcnn_lite.heads.svm import SVMSettings
from rcnn_lite.models.backbone import Backbone, build_backbone
from rcnn_lite.models.loading import load_model
from rcnn_lite.models.regression_only import RegressionOnly, RegressionSettings, to_pixels, to_unit
from rcnn_lite.models.regression_training import RegressionTraining, largest_objects, mean_overlap, train

CLASSES = ("background", "square", "never seen")


class PoolingBackbone(Backbone):
    """The last map is the mean colour of 8 x 8 cells, fc the mean of the whole."""

    def __init__(self):
        embedding = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        super().__init__([nn.AdaptiveAvgPool2d(8)], (8,), (3,), embedding, nn.Linear(3, 10), (0.0,) * 3, (1.0,) * 3)


def small_model(**settings) -> RegressionOnly:
    return RegressionOnly(PoolingBackbone(), CLASSES, RegressionSettings(**({"size": 64, "grid": 8} | settings)))


def test_detect_by_hand():
    """Grid 1, so the map is the mean colour (3 numbers). The square's box grows with the red: (0, 0, r, r / 2) of a
    picture 40 high and 80 wide, with r = 0.5: 40 wide and 10 high. Its SVM scores 2 r, the other class's is too low.
    """
    model = small_model(grid=1)
    model.ridge_weight[1, 0] = torch.tensor([0.0, 0.0, 1.0, 0.5])
    model.svm_weight[1, 0], model.svm_bias[1] = 2.0, 0.0
    model.svm_weight[2, 0], model.svm_bias[2] = 0.0, -1.5
    image = torch.zeros(3, 40, 80)
    image[0, :, :40] = 1.0
    (found,) = model.detect([image])
    assert found["labels"].tolist() == [1]
    torch.testing.assert_close(found["boxes"], torch.tensor([[0.0, 0.0, 40.0, 10.0]]), rtol=0, atol=0.05)
    assert found["scores"].item() == pytest.approx(1.0, abs=1e-3)
    model.svm_bias[2] = 3.0
    (found,) = model.detect([image])
    assert found["labels"].tolist() == [2, 1]  # best first; one box a class, whatever the picture


def test_the_map_keeps_where_things_are():
    image = torch.zeros(3, 64, 64)
    image[1, 8:16, 40:48] = 1.0  # the cell in row 1, column 5
    features = small_model().features(image)
    assert features.map.shape == (1, 3 * 64)
    assert features.map.reshape(3, 8, 8).nonzero().tolist() == [[1, 1, 5]]
    assert features.fc[0].tolist() == pytest.approx([0, 1 / 64, 0])


@pytest.mark.parametrize("size", [(1, 1), (5, 900), (64, 64)])
def test_pictures_of_any_size(size):
    model = small_model()
    model.svm_bias.fill_(1.0)
    model.ridge_bias.copy_(torch.tensor([-0.5, 0.2, 0.5, 2.0]).expand(3, 4))
    (found,) = model.detect([torch.rand(3, *size)])
    height, width = size
    expected = torch.tensor([0.0, 0.2 * height, 0.5 * width, height])
    torch.testing.assert_close(found["boxes"], expected.expand(3, 4))
    assert model.detect([]) == []


def test_fresh_from_the_constructor_it_never_fires():
    assert len(small_model().detect([torch.rand(3, 32, 32)])[0]["scores"]) == 0


def test_corners_the_wrong_way_round_are_swapped_and_cut():
    corners = torch.tensor([[0.75, 0.5, 0.25, 0.25], [-1.0, -1.0, -0.5, 2.0]])
    assert to_pixels(corners, (20, 40)).tolist() == [[10.0, 5.0, 30.0, 10.0], [0.0, 0.0, 0.0, 20.0]]
    boxes = torch.rand(5, 4).sort(dim=1).values
    torch.testing.assert_close(to_unit(to_pixels(boxes, (20, 40)), (20, 40)), boxes)


def test_the_largest_object_of_each_class_is_wanted():
    target = {
        "boxes": torch.tensor([[0.0, 0, 2, 2], [0, 0, 5, 5], [1, 1, 2, 2]]),
        "labels": torch.tensor([1, 1, 3]),
    }
    nothing = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
    wanted, there = largest_objects([nothing, target], 4)
    assert there.tolist() == [[False] * 4, [False, True, False, True]]
    assert wanted[1].tolist() == [[0, 0, 0, 0], [0, 0, 5, 5], [0, 0, 0, 0], [1, 1, 2, 2]]


class Squares:
    """Grey pictures of 64 x 64 pixels; two of three have a white square of 16 pixels, on whole cells."""

    classes = CLASSES

    def __init__(self, length, seed=0):
        self.length, self.seed = length, seed

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(1000 * self.seed + index)
        image, boxes = torch.full((3, 64, 64), 0.3), []
        if index % 3 > 0:
            x, y = (8 * torch.randint(0, 7, (2,), generator=generator)).tolist()
            image[:, y : y + 16, x : x + 16] = 1.0
            boxes.append([x, y, x + 16, y + 16])
        labels = torch.ones(len(boxes), dtype=torch.int64)
        return image, {"boxes": torch.tensor(boxes).float().reshape(-1, 4), "labels": labels}


@pytest.fixture(scope="module")
def trained() -> tuple[RegressionOnly, dict]:
    model = small_model()
    return model, train(model, Squares(90), RegressionTraining(svm=SVMSettings(C=1.0), lambdas=(1.0, 10.0, 1e5)))


def test_one_object_is_found_where_it_is(trained):
    model, note = trained
    for image, target in (Squares(20, seed=1)[i] for i in range(20) if i % 3 > 0):
        (found,) = model.detect([image])
        assert float(box_iou(found["boxes"], target["boxes"])) > 0.7
    assert note["lambda"] == 1.0  # noise-free: the mildest penalty is best
    assert note["held_out"]["1"] > note["held_out"]["10"] > note["held_out"]["100000"]


def test_of_two_objects_it_answers_the_middle(trained):
    """Squares in opposite corners of the picture: the answer is one box around the picture's middle, on neither."""
    model, _ = trained
    image = torch.full((3, 64, 64), 0.3)
    image[:, :16, :16], image[:, 48:, 48:] = 1.0, 1.0
    (found,) = model.detect([image])
    assert len(found["boxes"]) == 1
    centre = (found["boxes"][0, :2] + found["boxes"][0, 2:]) / 2
    assert centre.tolist() == pytest.approx([32.0, 32.0], abs=2.0)
    corners = torch.tensor([[0.0, 0, 16, 16], [48, 48, 64, 64]])
    assert float(box_iou(found["boxes"], corners).max()) < 0.3


def test_a_class_without_objects_never_fires_and_an_empty_picture_says_so(trained):
    model, _ = trained
    assert model.svm_bias[2] == -float("inf")
    empty = model.detect([torch.full((3, 64, 64), 0.3)])[0]
    full = model.detect([Squares(9)[5][0]])[0]
    assert float(full["scores"]) > 0
    assert len(empty["scores"]) == 0 or float(empty["scores"]) < 0


def test_no_objects_at_all():
    model = small_model()
    note = train(model, Squares(1))
    assert set(note["held_out"].values()) == {None}
    assert bool(torch.isinf(model.svm_bias).all())


def test_held_out_pictures_take_their_mirror_images_along(monkeypatch):
    """Of ten pictures the fifth and tenth: rows 8, 9, 18, 19."""
    seen = []
    monkeypatch.setattr(
        "rcnn_lite.models.regression_training.mean_overlap",
        lambda fitted, maps, wanted, there: seen.append(maps.clone()) or 0.5,
    )
    model = small_model()
    train(model, Squares(10), RegressionTraining(lambdas=(1.0,)))
    for row, (index, flip) in enumerate(((4, False), (4, True), (9, False), (9, True))):
        image = Squares(10)[index][0]
        torch.testing.assert_close(seen[0][row], model.features(image.flip(2) if flip else image).map[0])
    assert len(seen[0]) == 4


def test_mean_overlap_by_hand():
    """Bias only: the box is always the left half. IoU with the whole picture 1/2, with the left half 1."""
    fitted = LinearMap(torch.zeros(2, 5, 4), torch.tensor([[0.0] * 4, [0.0, 0.0, 0.5, 1.0]]))
    wanted = torch.zeros(3, 2, 4)
    wanted[0, 1], wanted[1, 1] = torch.tensor([0.0, 0, 1, 1]), torch.tensor([0.0, 0, 0.5, 1])
    there = torch.tensor([[False, True], [False, True], [False, False]])
    assert mean_overlap(fitted, torch.rand(3, 5), wanted, there) == 0.75


def test_the_checkpoint_brings_it_back(tmp_path):
    model = RegressionOnly(build_backbone("lite0"), CLASSES, RegressionSettings(size=64, grid=2))
    model.svm_bias.fill_(0.5)
    model.ridge_weight.normal_(std=1e-4, generator=torch.Generator().manual_seed(0))
    model.ridge_bias.copy_(torch.tensor([0.1, 0.2, 0.6, 0.7]).expand(3, 4))
    save_checkpoint(tmp_path / "a", *model.to_checkpoint(), half=False)
    again, note = load_model(tmp_path / "a")
    assert note["backbone"] == "lite0"
    image: Tensor = torch.rand(3, 50, 80)
    for a, b in zip(model.detect([image]), again.detect([image]), strict=True):
        assert all(torch.equal(a[key], b[key]) for key in a)
    tensors, description = load_checkpoint(tmp_path / "a")
    with pytest.raises(ValueError, match="do not fit its description of a regression"):
        RegressionOnly.from_checkpoint(tensors | {"scales": torch.zeros(3)}, description, model.backbone)
