"""Fast R-CNN: pooled features by hand, one scale and several, losses, detections, checkpoints, and a training that is
killed.
"""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fakes import MeanColour
from squares import CLASSES, Squares

from rcnn_lite.checkpoints import load_checkpoint, save_checkpoint
from rcnn_lite.evaluation import evaluate_voc
from rcnn_lite.heads.roi_heads import RoIHeadSettings
from rcnn_lite.models.fast_rcnn import FastRCNN, FastRCNNSettings
from rcnn_lite.training import FitSettings, Schedule, fit

SMALL = FastRCNNSettings(
    training_sides=(48,),
    short_sides=(48,),
    stride=4,
    frozen_stages=1,
    min_size=2,
    roi_side=16,
    heads=RoIHeadSettings(bins=4, width=16),
)


def small_model(**changes):
    torch.manual_seed(0)
    return FastRCNN(MeanColour(), CLASSES, replace(SMALL, **changes))


def windows(image_size=(48, 64), step=4, sides=(16, 20, 24)):
    """Square windows all over a picture: proposals of a data set of squares."""
    return torch.tensor(
        [
            [x, y, x + side, y + side]
            for side in sides
            for y in range(0, image_size[0] - side + 1, step)
            for x in range(0, image_size[1] - side + 1, step)
        ],
        dtype=torch.float32,
    ).reshape(-1, 4)


# ---- the figure, from left to right ----


def test_pooled_features_by_hand():
    """A picture, left half red, right half blue: 4 pixels a cell. A box across the middle pools both colours."""
    image = torch.zeros(3, 48, 64)
    image[0, :, :32], image[2, :, 32:] = 1.0, 1.0
    model = small_model(heads=RoIHeadSettings(bins=2))
    pooled = model.pool(image, torch.tensor([[16.0, 8.0, 48.0, 40.0], [0.0, 0.0, 16.0, 16.0]]), (48,))
    assert pooled.shape == (2, 3, 2, 2)
    # Columns 4 to 12, nine of them, so both bins have the middle one, column 8, which is blue.
    assert pooled[0, 0].tolist() == [[1, 0], [1, 0]]
    assert pooled[0, 2].tolist() == [[1, 1], [1, 1]]
    assert pooled[1].tolist() == [[[1, 1], [1, 1]], [[0, 0]] * 2, [[0, 0]] * 2]


def test_boxes_are_given_in_the_pixels_of_the_picture_whatever_its_scale(generator):
    image, boxes = torch.rand(3, 48, 64, generator=generator), windows()[::7]
    enlarged = torch.nn.functional.interpolate(image[None], scale_factor=2)[0]
    model = small_model()
    torch.testing.assert_close(model.pool(enlarged, 2 * boxes, (96,)), model.pool(enlarged, 2 * boxes, (96, 96)))
    assert model.pool(image, boxes, (96,)).shape == (len(boxes), 3, 4, 4)


def test_each_box_is_pooled_at_the_scale_that_suits_it_and_the_order_stays(generator):
    """Side 16 at scales 1 and 2: boxes of 8 pixels are looked at enlarged, boxes of 24 are not."""
    model, image = small_model(), torch.rand(3, 48, 64, generator=generator)
    boxes = torch.tensor([[0.0, 0, 24, 24], [4.0, 4, 12, 12], [20.0, 10, 44, 34], [40.0, 8, 48, 16]])
    both, once, twice = (model.pool(image, boxes, sides) for sides in ((48, 96), (48,), (96,)))
    torch.testing.assert_close(both, torch.stack((once[0], twice[1], once[2], twice[3])))
    assert not torch.equal(once, twice)


def test_a_step_of_training_draws_one_scale_of_several(generator):
    model, seen = small_model(training_sides=(48, 96)), []
    maps = model.maps
    model.maps = lambda pictures: seen.extend(p.shape[1] for p in pictures) or maps(pictures)
    image, target = Squares(1)[0]
    for _ in range(12):
        model.losses([image], [target], [windows()], generator)
    assert set(seen) == {48, 96}
    assert len(seen) == 12


def test_detections_are_the_parts_in_sequence():
    model, image, boxes = small_model().eval(), Squares(1)[0][0], windows()
    with torch.no_grad():
        pooled = model.pool(image, boxes, (48,))
        expected = model.roi_heads.decide(*model.roi_heads(pooled), boxes, (48, 64))
    (found,) = model.detect([image], [boxes])
    assert len(found["boxes"]) > 0
    torch.testing.assert_close(found, expected)
    assert set(model.watch.seconds) == {"convolutions", "RoI pooling", "heads", "NMS"}


def test_pictures_of_different_sizes_do_not_change_each_other(generator):
    model = small_model().eval()
    images = [torch.rand(3, h, w, generator=generator) for h, w in ((48, 64), (37, 91), (5, 7), (1, 1))]
    sizes = [image.shape[1:] for image in images]
    boxes = [torch.cat((windows((h, w), sides=(4, 16)), torch.tensor([[0.0, 0, w, h]]))) for h, w in sizes]
    together, alone = (
        model.detect(images, boxes),
        [model.detect([i], [b])[0] for i, b in zip(images, boxes, strict=True)],
    )
    torch.testing.assert_close(together, alone)
    assert [len(found["boxes"]) > 0 for found in together] == [True, True, True, False]  # the last is below min_size


def test_proposals_that_cannot_be_used_are_left_out():
    boxes = torch.tensor(
        [[-9.0, -9, 100, 100], [3, 3, 3, 30], [3, 3, 4, 30], [70, 10, 90, 20], [1, 1, 5, 5], [2, 2, 9, 9]]
    )
    usable = small_model(max_proposals=2).usable(boxes, (48, 64))
    assert usable.tolist() == [[0, 0, 64, 48], [1, 1, 5, 5]]


def test_no_proposals_no_detections():
    (found,) = small_model().detect([torch.rand(3, 48, 64)], [torch.empty(0, 4)])
    assert {key: tuple(v.shape) for key, v in found.items()} == {"boxes": (0, 4), "labels": (0,), "scores": (0,)}


def test_selective_search_is_the_default():
    model, image = small_model().eval(), Squares(1)[0][0]
    (found,) = model.detect([image])
    assert found["boxes"].shape[1] == 4
    assert "proposals" in model.watch.seconds


# ---- training ----


def test_an_image_without_objects_or_proposals_may_be_in_the_batch(generator):
    model, (image, target) = small_model(), Squares(1)[0]
    nothing = {"boxes": torch.empty(0, 4), "labels": torch.empty(0, dtype=torch.int64)}
    none = torch.empty(0, 4)
    alone = model.losses([image], [target], [none], torch.Generator().manual_seed(0))
    both = model.losses([image, image], [target, nothing], [none, windows()], torch.Generator().manual_seed(0))
    torch.testing.assert_close(alone, both)  # an image without objects has no region in [0.1, 0.5)
    empty = model.losses([image], [nothing], [none], generator)
    assert {name: float(value.detach()) for name, value in empty.items()} == {"classification": 0, "box_regression": 0}
    sum(empty.values()).backward()


@pytest.mark.parametrize("what", ["targets", "proposals"])
def test_a_batch_that_does_not_fit_together_is_refused(what):
    image, target = Squares(1)[0]
    given = {"targets": [target], "proposals": [windows()]} | {what: []}
    with pytest.raises(ValueError, match=f"there are 1 images and {what} for 0"):
        small_model().losses([image], **given)
    with pytest.raises(ValueError, match="there are 2 images and proposals for 1"):
        small_model().detect([image, image], [windows()])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model that has learnt to find squares, and the losses on the way."""
    data, model = Squares(24), small_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    file = tmp_path_factory.mktemp("fast") / "state.pt"
    settings = FitSettings(Schedule(150, warm_up=10), learning_rate=1e-2)
    return model, fit(model, data, file, settings, proposals=[windows()] * len(data)), before


def test_it_learns_to_find_squares(trained):
    model, history, _ = trained
    data = [Squares(10, seed=1)[i] for i in range(10)]
    found = [model.detect([image], [windows()])[0] for image, _ in data]
    assert evaluate_voc(found, [target for _, target in data])["mAP"] > 0.9
    first, last = (sum(sum(line.values()) for line in part) for part in (history[:20], history[-20:]))
    assert last < 0.6 * first


def test_frozen_stages_stay_and_all_others_learn(trained):
    model, _, before = trained
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert not any(name.startswith("backbone.stages.0") for name in moved)
    assert {name for name, _ in model.named_parameters() if not name.startswith("backbone.stages.0")} <= moved


def test_a_checkpoint_makes_the_same_model(trained, tmp_path):
    model, *_ = trained
    save_checkpoint(tmp_path / "c.safetensors", *model.to_checkpoint())
    tensors, note = load_checkpoint(tmp_path / "c.safetensors")
    again = FastRCNN.from_checkpoint(tensors, json.loads(json.dumps(note)), MeanColour())
    assert again.settings == model.settings
    image = Squares(1, seed=5)[0][0]
    ours, theirs = model.detect([image], [windows()])[0], again.detect([image], [windows()])[0]
    torch.testing.assert_close(ours["boxes"][:2], theirs["boxes"][:2], atol=0.3, rtol=0)  # 8 bits, half precision
    torch.testing.assert_close(ours["scores"][:2], theirs["scores"][:2], atol=0.02, rtol=0)
    twice = FastRCNN.from_checkpoint(*again.to_checkpoint(), MeanColour())
    torch.testing.assert_close(twice.detect([image], [windows()])[0], theirs, atol=1e-2, rtol=1e-2)


def test_a_checkpoint_that_does_not_fit_is_refused(trained):
    tensors, note = trained[0].to_checkpoint()
    name = "roi_heads.box_head.fc6.weight"
    for changed, sentence in (
        ({n: t for n, t in tensors.items() if n != name}, f"lacks {name}: it does not fit its description"),
        ({n: t for n, t in tensors.items() if n != f"{name}/largest"}, f"has no {name}/largest"),
        (tensors | {name: tensors[name][:, 1:]}, f"{name} has shape"),
        (tensors | {"roi_heads.other": tensors[name]}, "changes roi_heads.other, which the network does not have"),
    ):
        with pytest.raises(ValueError, match=sentence):
            FastRCNN.from_checkpoint(changed, note, MeanColour())


def test_truncation_keeps_what_it_can(trained):
    """Rank 16 is the whole layers; rank 2 is another model; the model itself stays as it is."""
    model, image = trained[0], Squares(1, seed=3)[0][0]
    whole = model.detect([image], [windows()])
    torch.testing.assert_close(model.truncated(16, 16).detect([image], [windows()]), whole, atol=1e-3, rtol=1e-3)
    thin = model.truncated(2, 2)
    assert sum(p.numel() for p in thin.roi_heads.box_head.parameters()) == (48 + 16) * 2 + 16 + (16 + 16) * 2 + 16
    assert len(thin.detect([image], [windows()])[0]["scores"]) != 0
    torch.testing.assert_close(model.detect([image], [windows()]), whole)
    with pytest.raises(ValueError, match="rank must lie in 1 .. 16"):
        model.truncated(17, 16)


PROGRAM = """
import os, signal, sys
sys.path[:0] = ["tests", "tests/models"]
from test_fast_rcnn import FitSettings, Schedule, Squares, fit, small_model, windows

class Deadly(Squares):
    def __getitem__(self, index):
        calls.append(index)
        if len(calls) == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(index)

calls, data, model = [], Deadly(6), small_model(training_sides=(48, 64))
fit(model, data, sys.argv[1], FitSettings(Schedule(8, 2, save_every=3), 1e-2), proposals=[windows()] * 6)
print(sum(float(p.double().sum()) for p in model.parameters()).hex())
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_training_that_is_killed_goes_on_to_the_same_weights(tmp_path):
    def run(name, die_at):
        command = [sys.executable, "-c", PROGRAM, str(tmp_path / name), str(die_at)]
        env = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "2"}  # see kernels.start_threads
        return subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, env=env)

    whole, killed = run("whole.pt", 0), run("cut.pt", 10)  # two pictures a step: in the fifth
    assert whole.returncode == 0, whole.stderr
    assert killed.returncode == -signal.SIGKILL
    assert len(torch.load(tmp_path / "cut.pt", weights_only=True)["history"]) == 3
    resumed = run("cut.pt", 0)
    assert resumed.stdout == whole.stdout != ""


@pytest.mark.parametrize(
    ("boxes", "sentence"),
    [
        (torch.tensor([[0.0, 0.0, float("nan"), 9.0]]), r"boxes\[0\] has a coordinate that is not finite"),
        (torch.tensor([[9.0, 0.0, 3.0, 9.0]]), r"boxes\[0\] has x2 < x1"),
        (torch.zeros(2, 5), r"boxes must have shape \(..., 4\)"),
    ],
)
def test_proposals_that_are_no_boxes_are_named(boxes, sentence):
    image, target = Squares(1)[0]
    with pytest.raises(ValueError, match=sentence):
        small_model().detect([image], [boxes])
    with pytest.raises(ValueError, match=sentence):
        small_model().losses([image], [target], [boxes])
