"""Pieces of the command line: what a run folder remembers, which pictures are for what, labels by name."""

import json

import pytest
import torch
from own_data import coco_folder
from squares import Squares

from rcnn_lite.cli import data, run_folder
from rcnn_lite.cli.run_folder import Progress, begun, settle

OPTIONS = {"held_out": None, "images": None, "data_seed": 0}


def begin(folder, **given):
    options = settle(folder, given)
    with begun(folder, options, "", "rcnn-lite train"):
        return options


def test_a_run_remembers_its_options(tmp_path):
    options = begin(tmp_path, model="rcnn", seed=3, size=None)
    assert (options["model"], options["seed"], options["data"], options["size"]) == ("rcnn", 3, "scenes", None)
    assert settle(tmp_path, {"model": "rcnn", "seed": 3}) == options
    assert settle(tmp_path, {}, resume=True) == options
    assert settle(tmp_path, {"seed": 3}, resume=True) == options
    with pytest.raises(ValueError, match=r"differs in seed \(3, not 0\): choose another folder, or go on .* --resume"):
        settle(tmp_path, {"model": "rcnn"})
    with pytest.raises(ValueError, match=r"differs in short-side \(None, not 300\)"):
        settle(tmp_path, {"short_side": 300}, resume=True)


def test_an_order_that_is_refused_was_never_begun(tmp_path):
    def refuse():
        with begun(tmp_path, {"model": "rcnn"}, "", "rcnn-lite train"):
            assert (tmp_path / "config.json").is_file()
            raise ValueError("no such thing")

    with pytest.raises(ValueError, match="no such thing"):
        refuse()
    assert not (tmp_path / "config.json").exists()
    begin(tmp_path, model="rcnn")
    with pytest.raises(ValueError, match="no such thing"):
        refuse()
    assert (tmp_path / "config.json").is_file()  # it had been there before


def test_a_run_must_be_of_a_model(tmp_path):
    with pytest.raises(ValueError, match="give --model, or --resume"):
        settle(tmp_path, {"seed": 1})
    with pytest.raises(ValueError, match=r"holds no run to resume \(there is no config.json\)"):
        settle(tmp_path, {"model": "rcnn"}, resume=True)


class Model:
    """What `Progress` needs of a model."""

    training = True

    def eval(self):
        return self

    def train(self, mode):
        assert mode is True

    def to_checkpoint(self):
        return {"x": torch.ones(1)}, {"model": "none"}


def test_the_best_so_far_is_kept_also_after_an_interruption(tmp_path, monkeypatch):
    scores = iter([0.2, 0.5, 0.4, 0.1, None, 0.3, 0.9])
    monkeypatch.setattr(run_folder, "measure", lambda model, held_out: ({"COCO": {"AP50": next(scores)}}, []))
    history = [{"loss": 2.0}, {"loss": 1.0}]
    progress = Progress(tmp_path, Squares(2), {"seed": 0})
    assert progress.best is None
    stamps = []
    for done in range(1, 13):
        if done == 7:  # a new process, which goes on from there
            progress = Progress(tmp_path, Squares(2), {"seed": 0})
        progress(Model(), (history * 6)[:done], 12)
        stamps.append(progress.best and progress.best.stat().st_mtime_ns)
    assert progress.measured == {2: 0.2, 4: 0.5, 6: 0.4, 8: 0.1, 10: 0.0, 12: 0.3}
    assert stamps[0] is None
    assert stamps[1] is not None
    assert stamps[3] != stamps[2]
    assert len(set(stamps[3:])) == 1  # 0.5 stayed the best
    kept = json.loads((tmp_path / "history.json").read_text())
    assert kept["losses"] == {"loss": [2.0, 1.0] * 6}
    progress(Model(), history * 6, 12)  # 0.9, measured again at the end
    assert progress.measured[12] == 0.9
    assert progress.best.stat().st_mtime_ns != stamps[-1]


def test_without_held_out_pictures_there_is_no_best(tmp_path):
    progress = Progress(tmp_path, None, {})
    progress(Model(), [{"loss": 1.0}], 1)
    assert progress.best is None
    assert (tmp_path / "curves.png").is_file()
    assert "1 of 1 batches: loss 1.000" in (tmp_path / "log.txt").read_text()


def parts(tmp_path, **options):
    spec = f"coco:{coco_folder(tmp_path / 'coco', 10)}"
    return data.open_parts({"data": spec} | OPTIONS | options, lambda part, name: part)


def names(part):
    """Which of the folder's pictures a part has."""
    return [part[i][1]["image_id"] for i in range(len(part))]


def test_test_and_held_out_pictures_are_none_of_those_learned_from(tmp_path):
    train, held_out, test = parts(tmp_path, held_out=3)
    assert names(test) == [1, 6]
    assert names(held_out) == [2, 4, 8]
    assert names(train) == [3, 5, 7, 9, 10]


def test_an_eighth_is_held_out_or_none_or_too_many(tmp_path):
    train, held_out, _ = parts(tmp_path)
    assert (len(train), names(held_out)) == (7, [2])
    spec = {"data": f"coco:{tmp_path / 'coco'}"} | OPTIONS
    assert data.open_parts(spec | {"held_out": 0}, lambda part, name: part).held_out is None
    with pytest.raises(ValueError, match="of 8 training pictures 7 cannot be held out"):
        data.open_parts(spec | {"held_out": 7}, lambda part, name: part)
    few = data.open_parts(spec | {"images": 4, "held_out": 1}, lambda part, name: part)
    assert (len(few.train), len(few.held_out), len(few.test)) == (3, 1, 2)


def test_fewer_test_pictures_do_not_become_held_out_ones(tmp_path):
    spec = {"data": f"coco:{coco_folder(tmp_path / 'coco', 10)}"} | OPTIONS | {"held_out": 2}
    train, held_out, test = data.open_parts(spec, lambda part, name: part, test_images=1)
    assert names(test) == [1]
    assert not {1, 6} & {*names(train), *names(held_out)}


def test_a_split_of_its_own_is_measured_on_in_between(tmp_path):
    folder = coco_folder(tmp_path / "coco", 10)
    whole = json.loads((folder / "annotations.json").read_text())
    for name, rows in (("train", range(1, 6)), ("val", range(6, 9)), ("test", range(9, 11))):
        images = [image for image in whole["images"] if image["id"] in rows]
        own = [one for one in whole["annotations"] if one["image_id"] in rows]
        (folder / f"{name}.json").write_text(json.dumps(whole | {"images": images, "annotations": own}))
    (folder / "annotations.json").unlink()
    found = data.open_parts({"data": f"coco:{folder}"} | OPTIONS | {"held_out": 2}, lambda part, name: part)
    assert [names(part) for part in found] == [[1, 2, 3, 4, 5], [6, 7], [9, 10]]


def test_labels_are_matched_by_name():
    """A model that knows the classes in another order, and more of them, is measured by their names."""
    squares = Squares(1)
    assert data.known_to(squares, squares.classes) is squares
    assert data.known_to(squares, ("background", "object")) is squares
    assert data.known_to(squares, ("background", "blue")) is squares  # measuring leaves the others out
    renamed = data.known_to(squares, ("background", "blue", "green", "red"))
    assert renamed[0][1]["labels"].tolist() == [3, 1]
    assert renamed.classes == ("background", "blue", "green", "red")
    assert data.known_to(squares, ("background", "blue", "red"))[0][1]["labels"].tolist() == [2, 1]
    with pytest.raises(ValueError, match="it does not know red"):
        data.known_to(squares, ("background", "blue", "cat"))
    with pytest.raises(ValueError, match="it does not know red, blue"):
        data.known_to(squares, ("background", "cat"))
