"""The four steps: what moves in which, what is shared at the end, and that the two halves are the whole."""

from dataclasses import replace

import pytest
import torch
from fakes import MeanColour
from small_faster import SMALL
from squares import Squares

from rcnn_lite.evaluation import evaluate_voc
from rcnn_lite.models import alternating_training
from rcnn_lite.models.alternating_training import AlternatingTraining, detector_settings, train
from rcnn_lite.models.fast_rcnn import FastRCNN
from rcnn_lite.models.rpn_detector import RPNDetector
from rcnn_lite.proposals.stored import load_proposals
from rcnn_lite.training import FitSettings, Schedule


def plan(first=10, last=6):
    whole, own = (FitSettings(Schedule(n, warm_up=3, save_every=2), learning_rate=1e-2) for n in (first, last))
    return AlternatingTraining(whole, own)


class Spy:
    """Keeps a copy of each model that is trained, as it was before and after its step."""

    def __init__(self, monkeypatch):
        self.steps, fit = [], alternating_training.fit

        def watched(model, *args, **kwargs):
            before = {name: value.clone() for name, value in model.state_dict().items()}
            history = fit(model, *args, **kwargs)
            self.steps.append((type(model), before, {n: v.clone() for n, v in model.state_dict().items()}))
            return history

        monkeypatch.setattr(alternating_training, "fit", watched)

    def moved(self, step):
        """Names of the parts of the model that the step changed."""
        _, before, after = self.steps[step - 1]
        names = {name for name in before if not torch.equal(before[name], after[name])}
        return {".".join(name.split(".")[:3]) if name.startswith("backbone") else name.split(".")[0] for name in names}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """(model, spy, folder) of a short run on 6 pictures."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("four")
    with pytest.MonkeyPatch.context() as patch:
        spy = Spy(patch)
        model = train(MeanColour(), Squares(6), folder, SMALL, plan())
    return model, spy, folder


def test_each_step_trains_what_the_paper_says(run):
    _, spy, _ = run
    assert [kind for kind, *_ in spy.steps] == [RPNDetector, FastRCNN, RPNDetector, FastRCNN]
    assert spy.moved(1) == {"backbone.stages.1", "rpn"}
    assert spy.moved(2) == {"backbone.stages.1", "roi_heads"}


def test_frozen_weights_do_not_move(run):
    """Steps 3 and 4 change the layers of their own alone: not a bit of the shared convolutions."""
    _, spy, _ = run
    assert spy.moved(3) == {"rpn"}
    assert spy.moved(4) == {"roi_heads"}


def test_each_step_starts_where_the_paper_says(run):
    model, spy, _ = run
    torch.manual_seed(0)
    image_net = MeanColour().fused().state_dict()
    states = [dict(zip(("before", "after"), step[1:], strict=True)) for step in spy.steps]
    part = lambda state, name: {k: v for k, v in state.items() if k.startswith(name)}  # noqa: E731
    for step in (0, 1):  # from ImageNet, the detector too
        for name, value in part(states[step]["before"], "backbone").items():
            assert torch.equal(value, image_net[name.removeprefix("backbone.")])
    torch.testing.assert_close(part(states[2]["before"], "rpn"), part(states[0]["after"], "rpn"), atol=0, rtol=0)
    for later in (2, 3):  # the convolutions of step 2
        shared = part(states[1]["after"], "backbone")
        torch.testing.assert_close(part(states[later]["before"], "backbone"), shared, atol=0, rtol=0)
    heads = part(states[1]["after"], "roi_heads")
    torch.testing.assert_close(part(states[3]["before"], "roi_heads"), heads, atol=0, rtol=0)
    own = model.state_dict()
    for name, value in (states[2]["after"] | states[3]["after"]).items():
        assert torch.equal(own[name], value)


def test_the_two_halves_are_the_whole(run):
    """The RPN of step 3 proposes, the Fast R-CNN of step 4 detects: what the joined model does in one go."""
    model, spy, _ = run
    rpn = RPNDetector(MeanColour(), settings=SMALL)
    rpn.load_state_dict(spy.steps[2][2])
    detector = FastRCNN(MeanColour(), model.classes, detector_settings(SMALL))
    detector.load_state_dict(spy.steps[3][2])
    images = [Squares(3, seed=4)[i][0] for i in range(3)]
    apart = detector.eval().detect(images, [rpn.eval().propose(image)[0] for image in images])
    for ours, theirs in zip(model.detect(images), apart, strict=True):
        assert len(ours["boxes"]) > 0
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_the_folder_keeps_each_step_and_goes_on(run, tmp_path, monkeypatch):
    """Interrupted within step 3, the second call repeats neither steps 1 and 2 nor their proposals."""
    model, _, folder = run
    data = Squares(6)
    assert {file.name for file in folder.iterdir()} == {
        *("stages.json", "1.pt", "2.pt", "3.pt", "4.pt", "1.safetensors", "3.safetensors"),
    }
    assert all(len(boxes) > 20 for boxes in load_proposals(folder / "1.safetensors", data))  # training's counts

    def stop(step, history):
        if step == 3 and len(history) == 3:
            raise KeyboardInterrupt

    torch.manual_seed(0)
    with pytest.raises(KeyboardInterrupt):
        train(MeanColour(), data, tmp_path, SMALL, plan(), stop)
    reports = []
    torch.manual_seed(0)
    again = train(MeanColour(), data, tmp_path, SMALL, plan(), lambda *line: reports.append((line[0], len(line[1]))))
    assert reports[:2] == [(1, 10), (2, 10)]  # done already
    assert [step for step, _ in reports[2:]] == [3] * 5 + [4] * 7  # step 3 had saved two batches of six
    torch.testing.assert_close(again.state_dict(), model.state_dict(), atol=0, rtol=0)
    with pytest.raises(ValueError, match="holds a run that differs in training"):
        train(MeanColour(), data, tmp_path, SMALL, plan(first=11))


def test_only_roi_pooling_can_be_trained_so(tmp_path):
    settings = replace(SMALL, pooling="crop_pool")
    with pytest.raises(ValueError, match="trains a Fast R-CNN, which has RoI pooling, not 'crop_pool'"):
        train(MeanColour(), Squares(2), tmp_path, settings, plan())


def test_it_learns_to_find_squares(tmp_path):
    torch.manual_seed(0)
    model = train(MeanColour(), Squares(24), tmp_path, SMALL, plan(300, 60))
    data = [Squares(10, seed=1)[i] for i in range(10)]
    found = model.detect([image for image, _ in data])
    assert evaluate_voc(found, [target for _, target in data])["mAP"] > 0.7
