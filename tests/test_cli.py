"""The command line: a small training, interrupted and resumed; detecting in good and bad files; help and errors."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from rcnn_lite import cli
from rcnn_lite.checkpoints import load_checkpoint, load_records, save_checkpoint
from rcnn_lite.models.backbone import build_backbone
from rcnn_lite.models.loading import MODELS
from rcnn_lite.models.rcnn import RCNN, RCNNSettings
from rcnn_lite.models.recipes import RECIPES


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """An R-CNN on small crops that calls every region a cat."""
    model = RCNN(build_backbone("lite0", pretrained=False), ("background", "cat"), RCNNSettings(size=32, context=2))
    model.svm_bias[1] = 1.0
    path = tmp_path_factory.mktemp("checkpoint") / "cats.safetensors"
    save_checkpoint(path, *model.to_checkpoint())
    return path


@pytest.fixture
def pictures(tmp_path):
    """A colour picture, a grey one with transparency, a truncated one, and a text file called a picture."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (6, 8, 3), np.uint8).repeat(10, axis=0).repeat(10, axis=1)
    Image.fromarray(noise).save(tmp_path / "good.png")
    Image.fromarray(noise[:, :, 0]).convert("LA").save(tmp_path / "grau 1.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "good.png").read_bytes()[:200])
    (tmp_path / "text.jpg").write_text("not a picture")
    return tmp_path


def test_detect_writes_pictures_and_results_and_goes_on_after_bad_files(checkpoint, pictures, capsys):
    names = ["cut.png", "good.png", "text.jpg", "absent.png", "grau 1.png"]
    out = pictures / "found"
    status = cli.main(
        ["detect", *(str(pictures / n) for n in names), "--checkpoint", str(checkpoint), "--out", str(out)]
    )
    assert status == 1
    drawn = ["0002_good.jpg", "0005_grau 1.jpg"]
    assert sorted(p.name for p in out.iterdir()) == [*drawn, "detections.json", "pictures.json"]
    results = json.loads((out / "detections.json").read_text(encoding="utf-8"))
    assert {(r["image_id"], r["file_name"], r["category_id"]) for r in results} == {
        (2, "good.png", 1),
        (5, "grau 1.png", 1),
    }
    for x, y, width, height in (r["bbox"] for r in results):
        assert x >= 0 <= y
        assert x + width <= 80.01
        assert y + height <= 60.01
    said = capsys.readouterr()
    for name, why in (
        ("cut.png", "cannot be read"),
        ("text.jpg", "cannot be read"),
        ("absent.png", "there is no picture"),
    ):
        assert any(name in line and why in line for line in said.err.splitlines()), name
    assert "2 of 5 pictures done" in said.out


def test_detect_of_good_files_succeeds(checkpoint, pictures):
    out = pictures / "found"
    assert cli.main(["detect", str(pictures / "good.png"), "--checkpoint", str(checkpoint), "--out", str(out)]) == 0


class FakeScenes:
    """Grey pictures with one bright square, label 1; as `Scenes`, but made in no time."""

    classes = ("background", "square", "never seen")

    keypoint_flip = (0, 1)

    def __init__(self, split, n=None, seed=0):
        if split not in ("train", "test"):
            raise ValueError(f"split must be one of train, test; got {split!r}")
        self.split, self.n, self.fingerprint = split, n or 4, f"{split} {seed}"

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        image = torch.full((3, 48, 48), 0.4)
        image[:, 8:32, 4 + index : 28 + index] = 0.9
        box = torch.tensor([[4.0 + index, 8.0, 28.0 + index, 32.0]])
        points = torch.tensor([[[16.0 + index, 20.0, 2.0], [16.0 + index, 8.0, 1.0]]])  # its middle, that of its top
        masks = (image[:1] > 0.5).to(torch.uint8)
        return image, {"boxes": box, "labels": torch.tensor([1]), "masks": masks, "keypoints": points}


@pytest.fixture(autouse=True)
def quick_scenes(monkeypatch):
    monkeypatch.setattr("rcnn_lite.cli.data.Scenes", FakeScenes)


DIARY = ("last.safetensors", "log.txt", "examples.png")  # what every call writes


def kept(run):
    """When each file that a training goes on from was written."""
    return {p.name: p.stat().st_mtime_ns for p in run.rglob("*") if p.name not in DIARY}


def test_train_evaluate_and_resume(tmp_path, capsys):
    """Three scenes, crops of 32 pixels: train; train again (nothing is repeated); evaluate and keep the detections."""
    run, found = tmp_path / "run", tmp_path / "kept.safetensors"
    command = ["train", "--model", "rcnn", "--out", str(run), "--images", "3", "--test-images", "2", "--finetune", "2"]
    command += ["--size", "32", "--proposals", "30"]
    assert cli.main(command) == 0
    tensors, note = load_checkpoint(run / "last.safetensors")
    assert note["command"].startswith("rcnn-lite train --model rcnn --out ")
    assert (note["seed"], note["model"], note["settings"]["size"], note["settings"]["context"]) == (0, "rcnn", 32, 2)
    assert note["metrics"]["images"] == 2
    assert set(note["metrics"]) >= {"mAP", "mAP_07", "COCO", "seconds"}
    with Image.open(run / "examples.png") as picture:
        assert picture.height > 200
    before = kept(run)
    assert cli.main(command) == 0
    assert before == kept(run)
    again = load_checkpoint(run / "last.safetensors")[0]
    assert all(torch.equal(tensors[name], again[name]) for name in tensors)
    capsys.readouterr()
    arguments = ["--checkpoint", str(run / "last.safetensors"), "--images", "2", "--save-detections", str(found)]
    assert cli.main(["evaluate", *arguments]) == 0
    assert "2 images\nmAP " in capsys.readouterr().out
    records, metadata = load_records(found)
    assert [set(r) for r in records] == [{"boxes", "labels", "scores", "proposals"}] * 2
    assert metadata["classes"][0] == "background"
    assert cli.main(command[:-1] + ["20"]) == 1  # other settings in the same folder
    assert "holds a run that differs in proposals (30, not 20)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "refused"),
    [("sppnet", "size"), ("fast_rcnn", "layer"), ("mask_rcnn", "size"), ("keypoint_rcnn_fpn", "layer")],
)
def test_models_of_one_map_train_resume_evaluate_and_detect(name, refused, tmp_path, pictures, capsys):
    run = tmp_path / "run"
    command = ["train", "--model", name, "--out", str(run), "--images", "3", "--test-images", "2", "--finetune", "3"]
    command += ["--short-side", "64"]
    assert cli.main(command) == 0
    tensors, note = load_checkpoint(run / "last.safetensors")
    assert (note["model"], note["seed"], note["metrics"]["images"]) == (name, 0, 2)
    before = kept(run)
    assert cli.main(["train", "--resume", "--out", str(run), "--test-images", "2"]) == 0
    assert before == kept(run)
    again = load_checkpoint(run / "last.safetensors")[0]
    assert all(torch.equal(tensors[key], again[key]) for key in tensors)
    model = ["--checkpoint", str(run / "last.safetensors")]
    assert cli.main(["evaluate", *model, "--images", "2"]) == 0
    assert cli.main(["detect", str(pictures / "good.png"), *model, "--out", str(tmp_path / "found")]) == 0
    capsys.readouterr()
    assert cli.main([*command, "--seed", "4"]) == 1
    assert "holds a run that differs in seed (0, not 4): choose another folder" in capsys.readouterr().err
    command[command.index(str(run))] = str(tmp_path / "other")
    assert cli.main([*command, f"--{refused}", "64"]) == 1
    assert f"--{refused} means nothing to --model {name}" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["hog", "regression"])
def test_models_without_proposals_train_evaluate_and_detect(name, tmp_path, pictures, capsys):
    run, kept = tmp_path / "run", tmp_path / "kept.safetensors"
    command = ["train", "--model", name, "--out", str(run), "--images", "3", "--test-images", "2"]
    assert cli.main(command) == 0
    _, note = load_checkpoint(run / "last.safetensors")
    assert (note["model"], note["seed"], note["metrics"]["images"]) == (name, 0, 2)
    assert note["command"].startswith(f"rcnn-lite train --model {name} --out ")
    assert note["rounds"] if name == "hog" else note["lambda"] in (10, 100, 1000, 10000, 100000)
    model = ["--checkpoint", str(run / "last.safetensors")]
    assert cli.main(["evaluate", *model, "--images", "2", "--save-detections", str(kept)]) == 0
    assert [set(r) for r in load_records(kept)[0]] == [{"boxes", "labels", "scores"}] * 2
    assert cli.main(["detect", str(pictures / "good.png"), *model, "--out", str(tmp_path / "found")]) == 0
    capsys.readouterr()
    command[command.index(str(run))] = str(tmp_path / "other")
    assert cli.main([*command, "--proposals", "9"]) == 1
    assert f"--proposals means nothing to --model {name}" in capsys.readouterr().err
    assert cli.main([*command, "--finetune", "2"]) == 1
    assert f"--finetune means nothing to --model {name}" in capsys.readouterr().err


def test_the_seed_is_of_weights_and_draws_and_only_the_data_seed_of_scenes(tmp_path, monkeypatch):
    """So that trainings with several seeds are comparable: they learn from the same pictures."""
    seen = []

    def note(data, order):
        seen.append((data.fingerprint, order.seed))
        raise ValueError("enough is known")

    monkeypatch.setitem(RECIPES, "rpn", note)
    for i, chosen in enumerate((["--seed", "1"], ["--seed", "2"], ["--seed", "1", "--data-seed", "5"])):
        assert cli.main(["train", "--model", "rpn", "--out", str(tmp_path / str(i)), *chosen]) == 1
    assert seen == [("train 0", 1), ("train 0", 2), ("train 5", 1)]


def test_interrupted_training_says_how_to_go_on(monkeypatch, capsys, tmp_path):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("rcnn_lite.models.rcnn_training.train", interrupt)
    assert cli.main(["train", "--model", "rcnn", "--out", str(tmp_path), "--images", "1"]) == 130
    assert "the same command goes on" in capsys.readouterr().err


def test_the_command_line_names_every_recipe():
    assert set(cli.MODELS) == set(RECIPES)
    assert {name.removesuffix("_alternating") for name in RECIPES} == set(MODELS)


def test_errors_are_one_sentence(tmp_path, capsys, checkpoint):
    (tmp_path / "other").write_bytes(b"junk")
    for arguments, sentence in (
        (["evaluate", "--checkpoint", str(tmp_path / "absent.safetensors")], "there is no checkpoint"),
        (["evaluate", "--checkpoint", str(tmp_path / "other")], "is damaged or no safetensors file"),
        (["evaluate", "--checkpoint", str(checkpoint), "--split", "validation"], "split must be one of"),
        (["train", "--model", "rcnn", "--out", str(tmp_path / "r"), "--backbone", "lite9"], "unknown backbone 'lite9'"),
    ):
        assert cli.main(arguments) == 1
        said = capsys.readouterr().err.strip().splitlines()
        assert said[-1].startswith("rcnn-lite: ")
        assert sentence in said[-1]


@pytest.mark.parametrize("arguments", [[], ["detect"], ["train", "--model", "yolo", "--out", "x"]])
def test_wrong_usage_is_explained(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2
    assert "usage: rcnn-lite" in capsys.readouterr().err


def test_counts_must_be_positive_whole_numbers(capsys):
    with pytest.raises(SystemExit):
        cli.main(["train", "--model", "rcnn", "--out", "x", "--images", "0"])
    assert "'0' is not a whole number of at least 1" in capsys.readouterr().err


def test_help_names_every_command_quickly():
    """As a process of its own, and without loading torch."""
    code = (
        "import sys; from rcnn_lite import cli\ntry: cli.main(['--help'])\nfinally: assert 'torch' not in sys.modules"
    )
    text = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for command in ("train", "detect", "evaluate", "course"):
        assert f"\n    {command}" in text
