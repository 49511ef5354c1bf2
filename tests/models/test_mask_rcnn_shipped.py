"""The three checkpoints with masks or keypoints that ship, and what was measured with them and with short trainings:
they belong to the present scenes and the present code.
"""

import json
import math

import pytest
import torch

from rcnn_lite.boxes import box_iou
from rcnn_lite.checkpoints import checkpoint_path
from rcnn_lite.datasets.scenes import Scenes
from rcnn_lite.evaluation.overlaps import mask_overlaps
from rcnn_lite.models.backbone import build_backbone
from rcnn_lite.models.loading import load_model
from rcnn_lite.paths import data_path

FASTER = {"objectness", "rpn_box_regression", "classification", "box_regression"}
LOSSES = {"mask_rcnn": FASTER | {"mask"}, "mask_rcnn_fpn": FASTER | {"mask"}, "keypoint_rcnn": FASTER | {"keypoint"}}
MAPS = {"C4": "mask_rcnn", "FPN": "mask_rcnn_fpn"}
SEEN = (1, 3)  # test scenes that are looked at
TABLES = {
    "M1": {f"{where} {what}" for where in ("pool", "warp", "align") for what in ("max", "average")},
    "M2": {"sigmoid", "softmax"},
    "M3": {"C4", "FPN"},
    "M4": {"Faster R-CNN", "Mask R-CNN"},
    "M5": {"fcn", "mlp"},
}


@pytest.fixture(scope="module", params=LOSSES)
def shipped(request):
    """(name, model, header)."""
    return request.param, *load_model(f"{request.param}_scenes")


@pytest.fixture(scope="module", params=MAPS.values())
def with_masks(request):
    """(model, header)."""
    return load_model(f"{request.param}_scenes")


@pytest.fixture(scope="module")
def measured():
    return json.loads(data_path("measurements/mask_rcnn.json").read_text())


def test_the_header_says_how_it_was_made(shipped):
    name, model, header = shipped
    assert f"rcnn-lite train --model {name} " in header["command"]
    scenes = Scenes("train", n=1)
    assert header["data"].startswith(scenes.fingerprint), "the scenes have changed: train again"
    assert set(header["losses"]) == LOSSES[name]
    assert all(len(course) == 50 and course[-1] < course[0] for course in header["losses"].values())
    assert checkpoint_path(f"{name}_scenes").stat().st_size < 5e6
    assert tuple(model.classes) == (("background", "cat") if name == "keypoint_rcnn" else scenes.classes)
    assert header["metrics"]["images"] == (100 if name in MAPS.values() else len(cats()))


def cats():
    """Numbers of the test scenes with a cat."""
    scenes = Scenes("test")
    return [i for i in range(len(scenes)) if (scenes[i][1]["labels"] == scenes.classes.index("cat")).any()]


def test_only_the_stages_that_learn_have_changed(shipped):
    _, model, _ = shipped
    stages = len(model.backbone.strides)
    before, after = build_backbone("lite0").fused().trunk(stages).state_dict(), model.backbone.state_dict()
    changed = {key.split(".")[1] for key in before if not torch.equal(before[key], after[key])}
    assert changed == {str(i) for i in range(model.settings.frozen_stages, stages)}


def test_masks_of_two_test_scenes_cover_the_objects(with_masks):
    """Most objects have a detection of their class whose mask is theirs, not only its box."""
    model, _ = with_masks
    best, hits = [], []
    for image, target in (Scenes("test")[i] for i in SEEN):
        (found,) = model.detect([image])
        assert found["masks"].shape == (len(found["boxes"]), 1, *image.shape[1:])
        sure = found["scores"] > 0.3
        masks = (found["masks"][sure, 0] > model.settings.mask.threshold).numpy()
        overlaps = torch.tensor(mask_overlaps(masks, target["masks"].bool().numpy(), target["iscrowd"].bool().numpy()))
        hits.append(((overlaps >= 0.5) & (found["labels"][sure][:, None] == target["labels"])).any(dim=0))
        best.append(overlaps.max(dim=0).values)
    assert torch.cat(hits).float().mean() > 0.6
    assert torch.cat(best).mean() > 0.6


def test_a_mask_stays_near_its_box(with_masks):
    """The part of it that is sure is inside, but for the pixels that the border cuts."""
    model, _ = with_masks
    image, _ = Scenes("test")[SEEN[0]]
    (found,) = model.detect([image])
    for mask, (x1, y1, x2, y2) in zip(found["masks"][:, 0] > 0.5, found["boxes"].tolist(), strict=True):
        allowed = torch.zeros_like(mask)
        allowed[max(math.floor(y1) - 1, 0) : math.ceil(y2) + 1, max(math.floor(x1) - 1, 0) : math.ceil(x2) + 1] = True
        assert not (mask & ~allowed).any()


def test_keypoints_are_near_theirs_in_two_scenes():
    model, _ = load_model("keypoint_rcnn_scenes")
    near = []
    for image, target in (Scenes("test")[i] for i in cats()[:2]):
        (found,) = model.detect([image])
        rows = torch.nonzero((target["keypoints"][..., 2] > 0).any(dim=1)).flatten()
        overlaps = box_iou(target["boxes"][rows], found["boxes"])
        for row, best in zip(rows.tolist(), overlaps.argmax(dim=1).tolist(), strict=True):
            points = target["keypoints"][row]
            off = (found["keypoints"][best, :, :2] - points[:, :2]).norm(dim=1)[points[:, 2] > 0]
            near += (off < 0.2 * target["area"][row].sqrt()).tolist()
    assert len(near) > 4
    assert sum(near) > len(near) / 2


def test_the_measurements_are_of_these_scenes_and_agree_with_the_checkpoints(measured):
    """The shipped rows are the models of the headers, so the accuracy is the same."""
    assert measured["data"] == {s: Scenes(s, n=1).fingerprint for s in ("train", "test")}
    assert (measured["settings"]["train images"], measured["settings"]["test images"]) == (400, 100)
    for row, name in MAPS.items():
        metrics, figures = load_model(f"{name}_scenes")[1]["metrics"], measured["M3"]["shipped"]["rows"][row]
        for key in ("AP", "AP50", "AP75", "APs", "APm", "APl"):
            assert figures[f"box {key}"] == pytest.approx(metrics["COCO"][key], abs=5e-3)
            assert figures[f"mask {key}"] == pytest.approx(metrics["masks"][key], abs=5e-3)
    head = measured["keypoints"]["rows"]["keypoint head"]
    assert head["AP"] == pytest.approx(load_model("keypoint_rcnn_scenes")[1]["metrics"]["keypoints"]["AP"], abs=5e-3)
    assert measured["keypoints"]["test images"] == len(cats())


@pytest.fixture(scope="module")
def tables(measured):
    """The tables of short trainings, {claim: table}: each has its base and a row to compare with it."""
    found = {claim: measured[claim] for claim in TABLES if "rows" in measured.get(claim, {})}
    assert "M1" in found
    for claim, table in found.items():
        assert table["base"] in table["rows"], claim
        assert len(table["rows"]) > 1, claim
        assert set(table["rows"]) <= TABLES[claim]
    return found


def test_means_and_spreads_are_those_of_the_trainings(measured, tables):
    seeds = measured["settings"]["short trainings"]["seeds"]
    for table in tables.values():
        assert [run["seed"] for run in table["rows"][table["base"]]["runs"]] == list(range(seeds))
        for row in table["rows"].values():
            for key, mean in row["mean"].items():
                values = [run[key] for run in row["runs"]]
                assert mean == pytest.approx(sum(values) / len(values))
                assert row["from .. to"][key] == [min(values), max(values)]


def test_the_base_is_the_same_training_in_every_table(tables):
    base = tables["M1"]["rows"]["align average"]["runs"]
    for claim, name in (("M2", "sigmoid"), ("M3", "C4"), ("M4", "Mask R-CNN"), ("M5", "fcn")):
        for row, values in tables[claim]["rows"].items() if claim in tables else ():
            assert (values["runs"] == base) == (row == name)


def test_intervals_hold_the_difference_that_they_are_of(tables):
    """Every row but the base of its table has one, of every number that both have; of trainings of the same seeds."""
    for claim, table in tables.items():
        base = {run["seed"]: run for run in table["rows"][table["base"]]["runs"]}
        for name, row in table["rows"].items():
            if name == table["base"]:
                continue
            assert {key for key in row["mean"] if key in base[0]} == set(row["gain"])
            for key, (low, high) in row["gain"].items():
                gains = [run[key] - base[run["seed"]][key] for run in row["runs"]]
                assert low <= sum(gains) / len(gains) <= high, (claim, name, key)


def test_alignment_is_what_matters(tables):
    """M1 by far more than chance: RoI pooling costs masks, most of all where they must fit well."""
    row = tables["M1"]["rows"]["pool max"]
    assert row["gain"]["mask AP"][1] < -0.05
    assert row["gain"]["mask AP75"][1] < row["gain"]["mask AP50"][0]


def test_boxes_without_masks_have_no_figures_of_masks(tables):
    if "M4" in tables:
        mean = tables["M4"]["rows"]["Faster R-CNN"]["mean"]
        assert mean["box AP"] > 0
        assert not any(key.startswith("mask") for key in mean)


def test_seconds_add_up(measured):
    for row in measured["M6"]["rows"].values():
        for side in ("with", "without"):
            stages = {key: value for key, value in row[side].items() if key != "total"}
            assert row[side]["total"] == pytest.approx(sum(stages.values()), rel=0.2)  # medians, each by itself
        assert set(row["with"]) - set(row["without"]) == {"masks", "pasting"}
        low, middle, high = row["share quartiles"]
        assert low <= middle <= high
        assert row["share"] == pytest.approx(middle)


def test_learned_keypoints_are_better_than_a_mean_place(measured):
    rows, met = measured["keypoints"]["rows"], measured["keypoints"]["met"]
    assert rows["keypoint head"]["AP"] > rows[measured["keypoints"]["base"]]["AP"]
    assert set(met["keypoint head"]) == set(met["visible"]) == set(Scenes("test", n=1).keypoint_names)
    assert all(0 <= share <= 1 for share in met["keypoint head"].values())
