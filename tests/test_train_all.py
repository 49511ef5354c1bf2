"""`make train`: what is planned, made, resumed, counted and refused. A real training of a few scenes is among it."""

import json
import sys
from dataclasses import replace

import pytest
import train_all
from train_steps import TRAININGS, Run, processor_seconds

from rcnn_lite.checkpoints import checkpoint_path, load_checkpoint
from rcnn_lite.models.recipes import RECIPES


def run_of(tmp_path, name="regression", seed=0, **small):
    return Run(TRAININGS[name], seed, tmp_path, **small)


def test_every_checkpoint_that_ships_has_its_training():
    shipped = {path.stem for path in checkpoint_path("rcnn_scenes").parent.glob("*_scenes.safetensors")}
    assert {training.ships_as for training in TRAININGS.values()} == shipped
    assert {training.recipe for training in TRAININGS.values()} <= set(RECIPES)
    assert all(name == training.name for name, training in TRAININGS.items())


def test_an_order_says_what_was_asked_for(tmp_path):
    assert run_of(tmp_path, "rcnn").order().finetune is None
    assert run_of(tmp_path, "rcnn", batches=5).order().finetune == 5
    assert run_of(tmp_path, "rcnn_untuned", batches=5).order().finetune == 0
    assert run_of(tmp_path, "hog", batches=5).order().finetune is None
    assert run_of(tmp_path, "rpn", seed=2).order().seed == 2


def test_arguments_make_the_same_run_again(tmp_path):
    for run in (run_of(tmp_path, "rpn", 2), run_of(tmp_path / "a b", "hog", images=3, batches=4)):
        args = train_all.parse(run.arguments())
        (name,) = args.only
        assert Run(TRAININGS[name], args.seed, args.out, args.images, args.batches) == run


def test_the_plan_says_what_is_there_and_what_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(train_all, "expected", lambda: {"hog": 240.0, "rpn": 60.0})
    done, begun, to_do = (run_of(tmp_path, name) for name in ("rpn", "sppnet", "hog"))
    for file in (done.note, done.checkpoint):
        file.write_text("{}")
    begun.folder.mkdir()
    lines = train_all.plan([done, begun, to_do]).splitlines()
    assert [line.split()[1] for line in lines[:2]] == ["done", "begun"]
    assert "to do" in lines[2]
    assert "240 s" in lines[2]
    assert lines[3] == "left: 240 processor seconds as far as known, 2 minutes on two cores"


def test_a_training_without_its_note_is_not_done(tmp_path):
    run = run_of(tmp_path)
    run.checkpoint.write_text("")
    assert not run.done()


def test_what_fails_is_named_and_the_rest_is_made(tmp_path, monkeypatch, capsys):
    def train_one(run, args, tell):
        tell(f"{run.name}: 1 of 2 batches")
        if run.training.name == "hog":
            return 1
        run.checkpoint.write_text("")
        run.note.write_text(json.dumps({"mAP": 0.5, "processor seconds": 1.0}))
        return 0

    monkeypatch.setattr(train_all, "train_one", train_one)
    assert train_all.main(["--out", str(tmp_path), "--only", "hog", "rpn", "--no-scoreboard"]) == 1
    printed = capsys.readouterr().out
    assert "failed: hog_seed_0" in printed
    assert "min  rpn_seed_0: 1 of 2 batches" in printed
    assert "rpn_seed_0 done: mAP 0.5, 1.0 processor seconds; 1 left, about" in printed
    assert run_of(tmp_path, "rpn").done()


def test_a_few_scenes_from_nothing(tmp_path, capsys):
    command = ["--out", str(tmp_path), "--seed", "1", "--only", "rpn", "--images", "3", "--batches", "2"]
    command.append("--no-scoreboard")
    assert train_all.main(command) == 0
    assert "min  rpn_seed_1: 2 of 2 batches" in capsys.readouterr().out
    run = run_of(tmp_path, "rpn", seed=1, images=3, batches=2)
    assert run.done()
    cost = json.loads(run.note.read_text())
    assert cost["processor seconds"] > 0
    assert cost["threads"] == 1
    header = load_checkpoint(run.checkpoint)[1]
    assert header["seed"] == 1
    assert header["metrics"]["images"] == 3
    assert header["command"].endswith("--seed 1 --only rpn --images 3 --batches 2")
    before = run.checkpoint.stat().st_mtime_ns
    assert train_all.main(command) == 0
    assert run.checkpoint.stat().st_mtime_ns == before
    assert "1 of 1 trainings are there" in capsys.readouterr().out


def test_a_training_says_ten_times_how_far_it_is(tmp_path, capsys):
    run = run_of(tmp_path, "rpn")
    for done in range(1, 26):
        run.tell(None, [{}] * done, 25)
    printed = capsys.readouterr().out.splitlines()
    assert printed == [f"rpn_seed_0: {done} of 25 batches" for done in (3, 5, 8, 10, 13, 15, 18, 20, 23, 25)]


def test_only_whole_trainings_of_seed_0_may_ship(tmp_path):
    run = run_of(tmp_path)
    for other in (replace(run, seed=1), replace(run, images=3), replace(run, batches=3)):
        with pytest.raises(ValueError, match=f"{other.name} cannot ship"):
            train_all.install([other], tmp_path / "scoreboard.json")


def test_children_find_the_package_and_use_one_thread(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    there = train_all.environment(1)
    assert there["OMP_NUM_THREADS"] == "1"
    assert there["PYTHONPATH"].split(train_all.os.pathsep) == [str(train_all.ROOT), "elsewhere"]


def test_the_work_of_children_counts():
    start = processor_seconds()
    train_all.subprocess.run([sys.executable, "-c", "sum(range(3_000_000))"], check=True)
    assert processor_seconds() > start
