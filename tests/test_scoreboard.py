"""The scoreboard: where trainings are looked for, what a row says, and what is measured of a detector."""

import json

import pytest
import scoreboard
import torch
from scoreboard_parts import (
    SYSTEMS,
    VARIANTS,
    Places,
    accuracy,
    look_at,
    measure,
    recalls,
    with_pyramid,
    without_regression,
)

from rcnn_lite.checkpoints import checkpoint_path
from rcnn_lite.datasets.scenes import Scenes
from rcnn_lite.models.loading import load_model
from rcnn_lite.models.stopwatch import Stopwatch

SYSTEM = {system.name: system for system in SYSTEMS}
BOX = torch.tensor([[0.0, 0.0, 10.0, 10.0]])


def truth():
    return {"boxes": BOX, "labels": torch.tensor([1]), "area": torch.tensor([100.0])}


def found(boxes=BOX, label=1):
    return {"boxes": boxes, "labels": torch.tensor([label]), "scores": torch.tensor([0.9])}


def test_every_detector_of_the_table_ships():
    assert len(SYSTEMS) == 9
    for system in SYSTEMS:
        assert checkpoint_path(system.ships_as).is_file()


def test_trainings_are_found_in_the_first_folder_that_has_them(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    places = Places((one, two))
    rcnn = SYSTEM["rcnn"]
    assert places.checkpoint(rcnn, 0) == checkpoint_path("rcnn_tuned_scenes")
    assert places.checkpoint(rcnn, 1) is None
    (two / "rcnn_seed_1.safetensors").write_text("")
    assert places.checkpoint(rcnn, 1) == two / "rcnn_seed_1.safetensors"
    (one / "rcnn_seed_1.safetensors").write_text("")
    assert places.checkpoint(rcnn, 1) == one / "rcnn_seed_1.safetensors"
    assert Places((one,), shipped=False).checkpoint(rcnn, 0) is None


def test_an_interrupted_training_has_no_cost(tmp_path):
    places, rcnn = Places((tmp_path,)), SYSTEM["rcnn"]
    assert places.cost(rcnn, 0) is None
    (tmp_path / "rcnn.json").write_text(json.dumps({"processor seconds": 12.5}))
    assert places.cost(rcnn, 0) == 12.5
    assert places.cost(rcnn, 1) is None
    (tmp_path / "rcnn_seed_1.json").write_text(json.dumps({"processor seconds": None}))
    assert places.cost(rcnn, 1) is None


def test_numbers_of_a_perfect_and_of_a_blind_detector():
    right = accuracy([found()], [truth()])
    assert (right["mAP"], right["mAP 07"], right["AP"], right["APs"], right["AR1"]) == (1, 1, 1, 1, 1)
    assert right["APl"] == -1, "COCO's word for no object of that size"
    assert accuracy([found(label=2)], [truth()])["mAP"] == 0
    near = torch.tensor([[0.0, 0.0, 10.0, 6.0]])  # IoU 0.6
    assert recalls([near], [truth()]) == {"proposals": 1.0, "recall 0.5": 1.0, "recall 0.7": 0.0}
    assert recalls([None], [truth()]) == {}


class Fake:
    """A detector that is given its proposals, and one that has none."""

    classes, device = ("background", "cat"), torch.device("cpu")

    def __init__(self, needs_proposals):
        self.needs_proposals, self.watch = needs_proposals, Stopwatch()

    def propose(self, image):
        return torch.cat((BOX, BOX + 1))

    def usable(self, boxes, size):
        return boxes[:1]

    def detect(self, images, proposals=None):
        assert (proposals is not None) == self.needs_proposals
        return [found()]


def test_the_regions_are_those_that_were_looked_at():
    one, boxes = look_at(Fake(True), torch.zeros(3, 20, 20))
    assert boxes.tolist() == BOX.tolist()
    assert one["labels"].tolist() == [1]
    assert look_at(Fake(False), torch.zeros(3, 20, 20))[1] is None


def test_asking_for_the_regions_once_more_costs_nothing():
    model = load_model("rpn_scenes")[0]
    _, boxes = look_at(model, torch.rand(3, 64, 64))
    assert boxes.shape[1] == 4
    spent = dict(model.watch.seconds)
    model.watch.seconds.clear()
    model.detect([torch.rand(3, 64, 64)])
    assert set(spent) == set(model.watch.seconds)


def test_a_detector_that_ships_is_measured():
    result = measure(checkpoint_path("regression_scenes"), Scenes("test", n=2), "regression")
    assert result["parameters"] > 1e6
    assert result["bytes of checkpoint"] == checkpoint_path("regression_scenes").stat().st_size
    assert set(result["seconds"]) == {"CNN", "SVM", "regression"}
    assert result["total seconds"] > 0
    assert 0 <= result["figures"]["mAP"] <= 1
    assert "recall 0.5" not in result["figures"]


def written(board, one, seed, value, seconds):
    """A measurement as `measure` makes it, in its file."""
    figures = {"mAP": value, "AP": value / 2}
    run = {"figures": figures, "seconds": {"heads": seconds}, "total seconds": seconds, "parameters": 7}
    run |= {"bytes of checkpoint": 9, "draws": [value - 0.1, value, value + 0.1]}
    board.file(one, seed).write_text(json.dumps(run))


@pytest.fixture
def board(tmp_path):
    for name in ("rcnn_seed_1", "fast_rcnn_seed_0", "fast_rcnn_seed_1"):
        (tmp_path / f"{name}.safetensors").write_text(name)
    made = scoreboard.Board(tmp_path, Places((tmp_path,), shipped=False), Scenes("test", n=2), 3)
    for seed, value in ((0, 0.5), (1, 0.7)):
        written(made, SYSTEM["fast_rcnn"], seed, value, 0.2 + seed / 10)
    written(made, SYSTEM["rcnn"], 1, 0.6, 2.0)
    return made


def rows_of(board, kind="rows"):
    return {row["name"]: row for row in json.loads(board.text([]))[kind]}


def test_a_row_has_all_its_seeds_and_the_gain_over_those_of_r_cnn(board):
    rows = rows_of(board)
    assert list(rows) == ["rcnn", "fast_rcnn"]
    fast = rows["fast_rcnn"]
    assert fast["seeds"] == [0, 1]
    assert fast["mean"] == {"mAP": pytest.approx(0.6), "AP": pytest.approx(0.3)}
    assert fast["from .. to"]["mAP"] == [0.5, 0.7]
    assert fast["seconds"] == {"heads": pytest.approx(0.25)}
    assert fast["total seconds"] == pytest.approx([0.2, 0.3])
    assert fast["training processor seconds"] == [None, None]
    assert fast["gain over rcnn"] == {"mAP": [pytest.approx(0.1), pytest.approx(0.1)], "seeds": 1}
    assert "gain over rcnn" not in rows["rcnn"]
    assert json.loads(board.text([]))["test images"] == 2


def test_a_variant_is_compared_with_what_it_changes(board):
    variant = next(one for one in VARIANTS if one.of.name == "fast_rcnn")
    written(board, variant, 0, 0.4, 0.1)
    row = rows_of(board, "variants")[variant.name]
    assert (row["of"], row["against"], row["claim"], row["seeds"]) == ("fast_rcnn", "fast_rcnn", variant.claim, [0])
    assert row["gain"] == {"mAP": [pytest.approx(-0.1), pytest.approx(-0.1)], "seeds": 1}


def test_a_variant_may_be_compared_with_another(board, tmp_path):
    (tmp_path / "rcnn_untuned_seed_1.safetensors").write_text("")
    variant = next(one for one in VARIANTS if one.base)
    written(board, variant, 1, 0.4, 0.1)
    assert "gain" not in rows_of(board, "variants")[variant.name]
    written(board, variant.base, 1, 0.7, 0.1)
    row = rows_of(board, "variants")[variant.name]
    assert (row["of"], row["against"]) == ("rcnn_untuned", "rcnn_without_regression")
    assert row["gain"] == {"mAP": [pytest.approx(-0.3), pytest.approx(-0.3)], "seeds": 1}


def test_another_training_is_measured_again(board, tmp_path):
    before = board.file(SYSTEM["rcnn"], 1)
    (tmp_path / "rcnn_seed_1.safetensors").write_text("trained once more")
    assert board.file(SYSTEM["rcnn"], 1) != before
    assert "rcnn" not in rows_of(board)
    assert board.file(SYSTEM["rcnn"], 2) is None


def test_changes_reach_the_settings_alone():
    regressing = load_model("rcnn_scenes")[0]
    assert regressing.settings.regress
    assert not without_regression(regressing).settings.regress
    fast = load_model("fast_rcnn_scenes")[0]
    assert with_pyramid(fast).settings.short_sides == fast.settings.training_sides
