"""The command line on pictures of one's own: train, resume, measure, detect; what is refused; what is written."""

import json

import pytest
import torch
from own_data import coco_folder, voc_folder
from penn_fudan_folder import write
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from rcnn_lite import cli
from rcnn_lite.checkpoints import load_checkpoint


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(folder of pictures, run folder, command) of a Mask R-CNN that learned from six pictures for a moment."""
    folder = tmp_path_factory.mktemp("own")
    data, run = coco_folder(folder / "pictures"), folder / "run"
    command = ["train", "--model", "mask_rcnn", "--data", f"coco:{data}", "--out", str(run)]
    command += ["--batches", "12", "--held-out", "2", "--short-side", "64"]
    assert cli.main(command) == 0
    return data, run, command


def test_a_run_folder_holds_config_log_curves_models_and_examples(trained):
    data, run, command = trained
    config = json.loads((run / "config.json").read_text())
    assert config["options"]["data"] == f"coco:{data.resolve()}"
    assert (config["options"]["model"], config["options"]["finetune"]) == ("mask_rcnn", 12)
    assert config["chosen"].startswith("image size 64 (short side; in training 53, 64, 75), anchors ")
    assert config["command"].startswith("rcnn-lite train --model mask_rcnn --data ")
    log = (run / "log.txt").read_text()
    for words in (
        "training pictures: 6 pictures with 12 objects: 6 red, 6 blue",
        "4 pictures to learn from, 2 held out; image size 64",
        "12 of 12 batches: objectness ",
    ):
        assert words in log
    history = json.loads((run / "history.json").read_text())
    assert set(history["losses"]) >= {"mask", "classification", "objectness"}
    assert {len(values) for values in history["losses"].values()} == {12}
    assert list(history["AP50"]) == ["2", "4", "6", "8", "10", "12"]
    for name, least in (("curves.png", 300), ("examples.png", 240)):
        with Image.open(run / name) as picture:
            assert picture.height >= least


def test_the_best_model_is_kept_and_measured_and_the_last_one_kept(trained):
    _, run, _ = trained
    (_, best), (_, last) = (load_checkpoint(run / f"{name}.safetensors") for name in ("best", "last"))
    scores = json.loads((run / "history.json").read_text())["AP50"]
    assert best["metrics"]["images"] == 2
    assert set(best["metrics"]["masks"]) >= {"AP", "AP50"}
    assert "metrics" not in last
    assert best["picture_side"] == last["picture_side"] == 75
    assert best["settings"]["short_side"] == 64
    assert best["held_out"]["AP50"] == max(scores.values())
    assert scores[str(best["held_out"]["batches"])] == max(scores.values())
    assert "the best so far" in (run / "log.txt").read_text()


def test_resume_needs_no_other_option_and_repeats_nothing(trained, capsys):
    _, run, command = trained
    before = {p.name: p.stat().st_mtime_ns for p in (run / "state.pt", run / "history.json", run / "config.json")}
    assert cli.main(["train", "--resume", "--out", str(run)]) == 0
    assert cli.main(command) == 0  # the same command is as good
    assert before == {name: (run / name).stat().st_mtime_ns for name in before}
    capsys.readouterr()
    assert cli.main(["train", "--resume", "--out", str(run), "--seed", "3"]) == 1
    assert "holds a run that differs in seed (0, not 3)" in capsys.readouterr().err
    assert cli.main([*command, "--layer", "fc6"]) == 1
    assert "differs in layer (None, not fc6)" in capsys.readouterr().err
    assert cli.main(["train", "--resume", "--out", str(run / "none")]) == 1
    assert "holds no run to resume" in capsys.readouterr().err
    assert cli.main(["train", "--out", str(run / "none")]) == 1
    assert "give --model" in capsys.readouterr().err


def test_evaluate_takes_the_data_from_the_checkpoint(trained, capsys):
    _, run, _ = trained
    assert cli.main(["evaluate", "--checkpoint", str(run / "best.safetensors")]) == 0
    said = capsys.readouterr().out
    metrics = load_checkpoint(run / "best.safetensors")[1]["metrics"]
    assert f"COCO AP50 {metrics['COCO']['AP50']:.3f}, " in said
    assert "test pictures: 2 pictures" in said


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools
def test_results_can_be_read_by_pycocotools(trained, tmp_path):
    """Masks as run lengths, boxes, and the file that says what the numbers mean."""
    data, run, _ = trained
    out = tmp_path / "found"
    arguments = ["--checkpoint", str(run / "last.safetensors"), "--out", str(out), "--short-side", "40"]
    assert cli.main(["detect", str(data / "images"), *arguments]) == 0
    assert len(list(out.glob("*.jpg"))) == 8
    annotated = COCO(str(out / "pictures.json"))
    assert [c["name"] for c in annotated.loadCats(annotated.getCatIds())] == ["red", "blue"]
    results = json.loads((out / "detections.json").read_text())
    assert len(results) > 8
    found = annotated.loadRes(str(out / "detections.json"))
    for one in results[:20]:
        mask = torch.from_numpy(found.annToMask(one))
        assert mask.shape == (48, 64)
        x, y, width, height = one["bbox"]
        rows, columns = torch.nonzero(mask).T
        if len(rows):
            assert x - 2 <= columns.min() <= columns.max() <= x + width + 2
            assert y - 2 <= rows.min() <= rows.max() <= y + height + 2
    for kind in ("bbox", "segm"):
        COCOeval(annotated, found, kind).evaluate()


def test_names_of_folders_and_patterns_are_pictures(trained, tmp_path, capsys):
    data, run, _ = trained
    model = ["--checkpoint", str(run / "last.safetensors"), "--out", str(tmp_path / "found")]
    assert cli.main(["detect", str(data / "images" / "00[12].png"), str(data / "images" / "001.png"), *model]) == 0
    assert sorted(p.name for p in (tmp_path / "found").glob("*.jpg")) == ["0001_001.jpg", "0002_002.jpg"]
    capsys.readouterr()
    for name in ("*.gif", str(tmp_path)):
        assert cli.main(["detect", name, *model]) == 1
        assert f"there is no picture in {name}" in capsys.readouterr().err


def test_models_that_need_more_than_boxes_say_so(tmp_path, capsys):
    data = f"voc:{voc_folder(tmp_path / 'voc')}"
    for model, needed in (("mask_rcnn", "masks"), ("mask_rcnn_fpn", "masks"), ("keypoint_rcnn", "keypoints")):
        assert cli.main(["train", "--model", model, "--data", data, "--out", str(tmp_path / model)]) == 1
        assert f"{model} learns from {needed}, and {data} has none" in capsys.readouterr().err
    small = ["--batches", "1", "--short-side", "64", "--held-out", "0"]
    assert cli.main(["train", "--model", "faster_rcnn", "--data", data, "--out", str(tmp_path / "run"), *small]) == 0
    assert sorted(p.name for p in (tmp_path / "run").glob("*.safetensors")) == ["last.safetensors"]
    assert cli.main(["train", "--model", "rcnn", "--data", data, "--out", str(tmp_path / "r"), "--anchors", "32"]) == 1
    assert "--anchors means nothing to --model rcnn" in capsys.readouterr().err


def test_strict_stops_where_something_had_to_be_left_out(tmp_path, capsys):
    data = voc_folder(tmp_path / "voc")
    broken = data / "JPEGImages" / "001.jpg"
    broken.write_bytes(broken.read_bytes()[:300])
    command = ["train", "--model", "hog", "--data", f"voc:{data}", "--out", str(tmp_path / "run")]
    assert cli.main([*command, "--strict"]) == 1
    assert "the data set is not in order: 1 picture is cut short or broken (left out)" in capsys.readouterr().err
    assert cli.main(command) == 0
    assert "1 picture is cut short or broken (left out)" in (tmp_path / "run" / "log.txt").read_text()


def test_penn_fudans_layout_has_masks_to_learn_from(tmp_path):
    for i in range(5):
        write(tmp_path / "data", f"P{i}")
    data = ["--data", f"penn_fudan:{tmp_path / 'data'}"]
    command = ["train", "--model", "mask_rcnn", *data, "--out", str(tmp_path / "run")]
    assert cli.main([*command, "--batches", "1", "--short-side", "64"]) == 0
    note = load_checkpoint(tmp_path / "run" / "last.safetensors")[1]
    assert note["classes"] == ["background", "pedestrian"]
    assert (note["metrics"]["images"], set(note["losses"]) >= {"mask"}) == (1, True)
    assert not (tmp_path / "run" / "best.safetensors").exists()  # of four pictures none was held out


@pytest.mark.parametrize("model", ["rcnn", "fast_rcnn", "regression"])
def test_models_without_anchors_learn_from_shrunk_pictures(model, tmp_path, capsys):
    options = {"rcnn": ["--size", "32", "--proposals", "20", "--batches", "0"], "fast_rcnn": ["--batches", "2"]}
    data = ["--data", f"voc:{voc_folder(tmp_path / 'voc')}"]
    command = ["train", "--model", model, *data, "--out", str(tmp_path / "run")]
    assert cli.main([*command, "--short-side", "36", *options.get(model, [])]) == 0
    assert "image size 36 (short side; larger pictures are shrunk)" in capsys.readouterr().out
    note = load_checkpoint(tmp_path / "run" / "last.safetensors")[1]
    assert (note["model"], note["picture_side"], note["metrics"]["images"]) == (model, 42, 2)
    assert note["data"].endswith("at most 42")


@pytest.mark.parametrize("model", ["rcnn", "sppnet"])
def test_models_trained_in_stages_learn_from_all_pictures_and_draw_the_curves_of_fine_tuning(model, tmp_path, capsys):
    data = ["--data", f"voc:{voc_folder(tmp_path / 'voc', 11)}"]  # 8 to learn from: of others one would be held out
    small = ["--short-side", "36", "--proposals", "20", "--batches", "3"] + (
        ["--size", "32"] if model == "rcnn" else []
    )
    command = ["train", "--model", model, *data, "--out", str(tmp_path / "run"), *small]
    assert cli.main([*command, "--held-out", "1"]) == 1
    assert f"--held-out means nothing to --model {model}" in capsys.readouterr().err
    assert cli.main(command) == 0
    assert "8 pictures to learn from; image size" in capsys.readouterr().out
    history = json.loads((tmp_path / "run" / "history.json").read_text())
    assert [len(values) for values in history["losses"].values()] == [3]
    assert history["AP50"] == {}
    assert (tmp_path / "run" / "curves.png").stat().st_size > 1000
    assert sorted(p.name for p in (tmp_path / "run").glob("[bl]*.safetensors")) == ["last.safetensors"]
