"""The training loop: schedule and first steps by hand, runs that are cut off and go on, losses that are not finite."""

import math
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from rcnn_lite.training import FitSettings, Schedule, fit, optimise

ROOT = Path(__file__).resolve().parents[1]


class PowerCut(Exception):
    """Something that no training loop expects."""


QUICK = Schedule(iterations=10, warm_up=3, save_every=3)


class Weight(nn.Module):
    """One number that is learnt."""

    def __init__(self, value=1.0):
        super().__init__()
        self.w = nn.Parameter(torch.tensor([value]))


def noisy_run(file, schedule=QUICK, stop_at=None, seed=0):
    """Fit a line to noisy points: everything random comes from the generator. Returns module, history, generator."""
    module, generator, calls = nn.Linear(3, 1), torch.Generator().manual_seed(seed), []
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[0.1, -0.2, 0.3]])), module.bias.zero_()

    def step(generator):
        calls.append(1)
        if stop_at is not None and len(calls) == stop_at:
            raise PowerCut
        x = torch.randn(8, 3, generator=generator)
        error = module(x) - x.sum(dim=1, keepdim=True)
        return {"squares": (error**2).mean(), "size": 0.01 * (module.weight**2).sum()}

    history = optimise(step, module, [{"params": module.parameters(), "lr": 0.05}], schedule, generator, file)
    return module, history, generator


def weights(module):
    return torch.cat([p.detach().flatten() for p in module.parameters()])


# ---- the schedule ----


def test_a_ramp_and_half_a_cosine():
    schedule = Schedule(iterations=12, warm_up=4)
    factors = [schedule.factor(i) for i in (0, 1, 3, 4, 8, 10, 12)]
    assert factors == pytest.approx([0.25, 0.5, 1.0, 1.0, 0.5, 0.5 * (1 - math.sqrt(0.5)), 0.0])


def test_a_schedule_without_warm_up_and_one_that_ends_in_it():
    assert Schedule(iterations=10, warm_up=0).factor(0) == 1.0
    assert [Schedule(iterations=2, warm_up=4).factor(i) for i in range(2)] == [0.25, 0.5]
    assert Schedule(iterations=4, warm_up=4).factor(4) == 1.0  # asked for after the last step; nothing is divided by 0


# ---- steps ----


def test_the_first_step_by_hand(tmp_path):
    """AdamW's first step has the length of the learning rate whatever the gradient; decay takes lr * decay of w."""
    module = Weight()
    schedule = Schedule(iterations=1, warm_up=0, weight_decay=0.5)
    groups = [{"params": module.parameters(), "lr": 0.1}]
    history = optimise(lambda _: {"w": 3 * module.w.sum()}, module, groups, schedule, torch.Generator(), tmp_path / "s")
    assert history == [{"w": pytest.approx(3.0)}]
    assert module.w.item() == pytest.approx(1 - 0.1 * 0.5 - 0.1, abs=1e-6)


def test_groups_learn_at_their_own_rates_and_the_warm_up_scales_both(tmp_path):
    slow, fast = Weight(), Weight()
    module = nn.ModuleList([slow, fast])
    groups = [{"params": slow.parameters(), "lr": 0.01}, {"params": fast.parameters(), "lr": 0.1}]
    schedule = Schedule(iterations=1, warm_up=4, weight_decay=0.0)
    optimise(lambda _: {"w": (slow.w + fast.w).sum()}, module, groups, schedule, torch.Generator(), tmp_path / "s")
    assert 1 - slow.w.item() == pytest.approx(0.01 / 4, rel=1e-3)
    assert 1 - fast.w.item() == pytest.approx(0.1 / 4, rel=1e-3)


def test_the_sum_of_the_losses_falls_and_each_is_written_down(tmp_path):
    module, history, _ = noisy_run(tmp_path / "s", Schedule(iterations=80, warm_up=5))
    assert len(history) == 80
    assert all(set(line) == {"squares", "size"} for line in history)
    assert history[-1]["squares"] < 0.1 < 1 < history[0]["squares"]
    assert (module.weight - 1).abs().max() < 0.2  # y is the sum of the x


def test_long_gradients_are_shortened(tmp_path):
    module = Weight()
    groups = [{"params": module.parameters(), "lr": 0.1}]
    optimise(
        lambda _: {"w": 1000 * module.w.sum()},
        module,
        groups,
        Schedule(1, max_norm=2.5),
        torch.Generator(),
        tmp_path / "s",
    )
    assert module.w.grad.item() == pytest.approx(2.5, rel=1e-4)


# ---- cut off and resumed ----


@pytest.mark.parametrize("stop_at", [1, 2, 5, 7, 10])
def test_an_exception_in_the_middle_of_a_step_costs_nothing(tmp_path, stop_at):
    whole, losses, generator = noisy_run(tmp_path / "whole")
    with pytest.raises(PowerCut):
        noisy_run(tmp_path / "cut", stop_at=stop_at)
    resumed, history, other = noisy_run(tmp_path / "cut")
    assert torch.equal(weights(whole), weights(resumed))
    assert history == losses
    assert torch.equal(generator.get_state(), other.get_state())


def test_a_resumed_run_takes_up_where_the_file_ends(tmp_path):
    """Saved after 3, 6, 9 and 10 iterations: a run that stops in its eighth has two to repeat."""
    with pytest.raises(PowerCut):
        noisy_run(tmp_path / "cut", stop_at=8)
    with pytest.raises(PowerCut):
        noisy_run(tmp_path / "cut", stop_at=4)  # 7, 8, 9; stops in the tenth
    assert len(torch.load(tmp_path / "cut", weights_only=True)["history"]) == 9
    _, history, _ = noisy_run(tmp_path / "cut", stop_at=2)  # one is left
    assert len(history) == 10


def test_a_finished_run_is_not_repeated(tmp_path):
    first, losses, _ = noisy_run(tmp_path / "s")
    again, history, _ = noisy_run(tmp_path / "s", stop_at=1)
    assert torch.equal(weights(first), weights(again))
    assert history == losses


PROGRAM = """
import os, signal, sys
from pathlib import Path
import torch
from torch import nn
from rcnn_lite.training import FitSettings, Schedule, fit, optimise

file, die_at = Path(sys.argv[1]), int(sys.argv[2])
module, generator, calls = nn.Linear(3, 1), torch.Generator().manual_seed(0), []
torch.nn.init.constant_(module.weight, 0.1), torch.nn.init.zeros_(module.bias)

def step(generator):
    calls.append(1)
    if len(calls) == die_at:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"loss": (module(torch.randn(8, 3, generator=generator)) ** 2).mean()}

optimise(step, module, [{"params": module.parameters(), "lr": 0.05}], Schedule(10, 3, save_every=3), generator, file)
print([value.hex() for value in [*module.weight[0].tolist(), *module.bias.tolist()]])
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_killed_process_goes_on_in_another(tmp_path):
    def run(name, die_at):
        command = [sys.executable, "-c", PROGRAM, str(tmp_path / name), str(die_at)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    whole, killed = run("whole", 0), run("cut", 8)
    assert killed.returncode == -signal.SIGKILL
    resumed = run("cut", 0)
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stdout == whole.stdout != ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut", "whole"]  # nothing half-written is left


@pytest.mark.parametrize("content", [b"", b"no state at all", b"PK\x03\x04 cut off"])
def test_a_damaged_file_is_named(tmp_path, content):
    (tmp_path / "s").write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path / 's'} is damaged")):
        noisy_run(tmp_path / "s")


def test_a_file_that_is_cut_short_is_named(tmp_path):
    noisy_run(tmp_path / "s")
    content = (tmp_path / "s").read_bytes()
    (tmp_path / "s").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="is damaged .*: remove it to start again"):
        noisy_run(tmp_path / "s")


# ---- losses that are not finite ----


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_stops_names_itself_and_keeps_the_last_good_file(tmp_path, bad):
    def run(name, iterations, bad_at=None):
        module = Weight()

        def step(generator):
            calls.append(1)
            value = bad if len(calls) - 1 == bad_at else 1.0
            return {"good": module.w.sum(), "wild": value * module.w.sum()}

        calls, groups = [], [{"params": module.parameters(), "lr": 0.1}]
        optimise(
            step, module, groups, Schedule(iterations, warm_up=2, save_every=2), torch.Generator(), tmp_path / name
        )

    with pytest.raises(FloatingPointError, match=rf"the loss 'wild' is {bad} in iteration 5: a lower learning rate"):
        run("bad", 8, bad_at=5)
    before = torch.load(tmp_path / "bad", weights_only=True)
    assert len(before["history"]) == 4
    assert torch.isfinite(before["module"]["w"]).all()
    run("bad", 8)  # and from there it can go on
    run("good", 8)
    again, whole = (torch.load(tmp_path / name, weights_only=True)["module"]["w"] for name in ("bad", "good"))
    assert torch.equal(again, whole)


def test_a_gradient_that_is_not_finite_does_not_reach_the_file(tmp_path):
    """The square root of 0 is 0, a fine loss, but its slope is infinite: the next weights would be NaN."""
    module = Weight()

    def step(generator):
        calls.append(1)
        return {"loss": (module.w - module.w.detach()).sqrt().sum() if len(calls) == 3 else module.w.sum()}

    calls, groups = [], [{"params": module.parameters(), "lr": 0.1}]
    with pytest.raises(FloatingPointError, match="the gradient of 'loss' is (nan|inf) in iteration 2"):
        optimise(step, module, groups, Schedule(5, save_every=1), torch.Generator(), tmp_path / "s")
    state = torch.load(tmp_path / "s", weights_only=True)
    assert len(state["history"]) == 2
    assert torch.isfinite(state["module"]["w"]).all()
    assert torch.isfinite(module.w).all()


# ---- fit ----


class Pictures:
    """Pictures of one number, their index; the object lies in the left half."""

    def __init__(self, length=5):
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        box = torch.tensor([[0.0, 0.0, 2.0, 4.0]])
        return torch.full((3, 4, 8), float(index)), {"boxes": box, "labels": torch.tensor([1])}


class Listener(Weight):
    """A model that remembers what it was given."""

    def __init__(self):
        super().__init__()
        self.frozen = nn.Parameter(torch.ones(1), requires_grad=False)
        self.given, self.modes = [], []

    def losses(self, images, targets, proposals=None, generator=None):
        self.modes.append(self.training)
        self.given.append((images, targets, proposals, torch.rand(1, generator=generator).item()))
        return {"loss": (self.w - 3).square().sum() + 0 * self.frozen.sum()}


def test_fit_draws_pictures_with_their_proposals_and_mirrors_half_of_them(tmp_path):
    model, data, seen = Listener(), Pictures(), []
    proposals = [torch.tensor([[0.0, 0.0, float(i + 1), 1.0]]) for i in range(5)]
    settings = FitSettings(Schedule(40, 5), learning_rate=0.1)
    history = fit(model, data, tmp_path / "s", settings, proposals=proposals, report=lambda h: seen.append(len(h)))
    assert len(history) == len(model.given) == 40
    assert seen == list(range(1, 41))
    mirrored = 0
    for images, targets, boxes, _ in model.given:
        numbers = [int(image[0, 0, 0]) for image in images]
        assert len(set(numbers)) == 2  # no picture twice in a step
        for number, target, (box,) in zip(numbers, targets, boxes, strict=True):
            left = bool(target["boxes"][0, 0] == 0)
            assert box.tolist() == ([0, 0, number + 1, 1] if left else [7 - number, 0, 8, 1])
            mirrored += not left
    assert 25 < mirrored < 55  # of 80
    assert all(model.modes)
    assert not model.training
    assert abs(float(model.w.detach()) - 3) < 1
    assert float(model.frozen) == 1


def test_fit_without_proposals_and_with_a_seed(tmp_path):
    def run(name, seed, iterations=4):
        model = Listener()
        settings = FitSettings(Schedule(iterations, 2), flip=0.0)
        fit(model, Pictures(), tmp_path / name, settings, torch.Generator().manual_seed(seed))
        assert all(p is None and t["boxes"][0, 0] == 0 for _, targets, p, _ in model.given for t in targets)
        return [(tuple(float(i[0, 0, 0]) for i in images), number) for images, _, _, number in model.given]

    assert run("a", 1) == run("b", 1) != run("c", 2)
    assert run("a", 1, iterations=6) == run("d", 1, iterations=6)[4:]  # goes on with the same draws


def test_fit_refuses_what_does_not_fit(tmp_path):
    with pytest.raises(ValueError, match="there are 5 images and proposals for 4"):
        fit(Listener(), Pictures(), tmp_path / "s", proposals=[torch.empty(0, 4)] * 4)
    with pytest.raises(ValueError, match="a step takes 2 images, the data set has 1"):
        fit(Listener(), Pictures(1), tmp_path / "s")
