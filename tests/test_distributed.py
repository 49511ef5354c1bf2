"""Trainings in two processes: the same as in one, when one dies too; and in one process nothing is shared."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import joint_trainings
import pytest
import torch
import torch.distributed as dist

from rcnn_lite import distributed

ROOT = Path(__file__).resolve().parents[1]
QUIET = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}

needs_gloo = pytest.mark.skipif(
    not hasattr(signal, "SIGKILL") or not (dist.is_available() and dist.is_gloo_available()),
    reason="this PyTorch cannot join processes, or this system not kill one",
)


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


# ---- one process ----


def test_one_process_shares_nothing(generator):
    state = generator.get_state()
    with distributed.processes(), distributed.in_turn(generator):
        pass
    assert torch.equal(generator.get_state(), state)
    assert (distributed.rank(), distributed.count(), distributed.leads(), distributed.joined()) == (0, 1, True, False)
    step, losses = (lambda generator: {}), {"a": torch.tensor(2.0)}
    assert distributed.joint_step(step, torch.nn.Linear(1, 1)) is step
    assert distributed.batch_losses(losses) is losses
    assert [distributed.divisor(n) for n in (0, 1, 5)] == [1, 1, 5]
    assert torch.equal(distributed.share(torch.arange(3)), torch.arange(3))


def test_a_stage_is_done_once(tmp_path):
    file, calls = tmp_path / "f", []
    for _ in range(2):
        distributed.stage(file, lambda: calls.append(1) or file.write_text("x"))
    assert calls == [1]


def test_what_cannot_be_dealt_out_is_refused(monkeypatch):
    monkeypatch.setattr(distributed, "count", lambda: 3)
    monkeypatch.setattr(distributed, "rank", lambda: 1)
    assert distributed.share(list("abcdef")) == ["b", "e"]
    with pytest.raises(ValueError, match="a batch of 2 cannot be dealt out to 3 processes: its size must be a mult"):
        distributed.share([1, 2])


def test_a_process_without_a_gpu_of_its_own_says_so(monkeypatch):
    for name, value in {"RANK": "7", "LOCAL_RANK": "7", "WORLD_SIZE": "8", "MASTER_ADDR": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    with (
        pytest.raises(ValueError, match="process 7 of this machine needs GPU 7, and there are 4: start as many"),
        distributed.processes("cuda"),
    ):
        pass


# ---- two processes ----


@pytest.fixture(scope="module")
def joint(tmp_path_factory) -> Path:
    """What two processes ended with that torchrun started, one of which died on the way: torchrun starts both again."""
    out = tmp_path_factory.mktemp("joint")
    torchrun = ["torch.distributed.run", "--nproc-per-node", "2", "--max-restarts", "1", "--master-port", free_port()]
    command = [sys.executable, "-m", *torchrun, str(ROOT / "tests" / "joint_trainings.py"), str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=QUIET)
    assert done.returncode == 0, done.stderr[-8000:]
    assert "(exitcode: -9)" in done.stderr  # one did die
    return out


@pytest.fixture(scope="module")
def two(joint) -> dict:
    return torch.load(joint / "process_0.pt", weights_only=True)


@needs_gloo
@pytest.mark.parametrize("kind", joint_trainings.KINDS)
def test_two_processes_are_one_with_the_whole_batch(two, kind, tmp_path):
    """Losses of each step, and all weights in the end, up to the rounding of sums in another order."""
    ours, alone = two[kind.__name__], joint_trainings.ended(*kind(tmp_path))
    assert len(ours["history"]) == len(alone["history"]) == 6
    for step, (a, b) in enumerate(zip(ours["history"], alone["history"], strict=True)):
        assert a == pytest.approx(b, rel=1e-4, abs=1e-6), f"step {step}"
    for name, value in alone["weights"].items():
        torch.testing.assert_close(ours["weights"][name], value, rtol=0, atol=1e-4, msg=lambda m, n=name: f"{n}: {m}")


@needs_gloo
def test_both_processes_have_the_same_weights(joint, two):
    other = torch.load(joint / "process_1.pt", weights_only=True)
    for kind, result in two.items():
        assert result["history"] == other[kind]["history"]
        assert all(torch.equal(value, other[kind]["weights"][name]) for name, value in result["weights"].items())


@needs_gloo
def test_a_run_of_which_one_process_died_ends_as_if_none_had(two):
    cut, whole = two["cut"], two["whole"]
    assert cut["history"] == whole["history"]
    assert all(torch.equal(cut["weights"][name], value) for name, value in whole["weights"].items())


LONELY = """
import os, signal, sys
from pathlib import Path
import torch
from torch import nn
from rcnn_lite import distributed
from rcnn_lite.training import Schedule, optimise

module = nn.Linear(3, 1)
nn.init.constant_(module.weight, 0.1), nn.init.zeros_(module.bias)

def step(generator):
    calls.append(1)
    if len(calls) == 6 and distributed.rank() == 1 and "die" in sys.argv:
        os.kill(os.getpid(), signal.SIGKILL)
    x = distributed.share(torch.randn(8, 3, generator=generator))
    return {"loss": (module(x) ** 2).mean()}

calls, file, groups = [], Path(sys.argv[1]), [{"params": module.parameters(), "lr": 0.05}]
with distributed.processes():
    optimise(step, module, groups, Schedule(10, 3, save_every=4), torch.Generator().manual_seed(0), file)
weights = module.weight[0].tolist()
"""


@needs_gloo
def test_the_other_process_says_what_happened_and_one_alone_can_go_on(tmp_path, monkeypatch):
    """Without torchrun, which would stop the other: two processes that know each other's address."""
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port(), "WORLD_SIZE": "2"}
    command = [sys.executable, "-c", LONELY, str(tmp_path / "cut.pt"), "die"]
    started = [
        subprocess.Popen(command, env=QUIET | address | {"RANK": str(r)}, stdout=-1, stderr=-1, text=True, cwd=ROOT)
        for r in range(2)
    ]
    outputs = [process.communicate() for process in started]
    assert started[1].returncode == -signal.SIGKILL
    assert started[0].returncode == 1
    assert "RuntimeError: process 0 of 2 has lost the others: one has died" in outputs[0][1]
    assert [path.name for path in tmp_path.iterdir()] == ["cut.pt"]
    assert len(torch.load(tmp_path / "cut.pt", weights_only=True)["history"]) == 4

    ends = {}
    for name in ("cut.pt", "whole.pt"):
        monkeypatch.setattr(sys, "argv", ["", str(tmp_path / name)])
        exec(LONELY, names := {})
        ends[name] = names["weights"]
    assert ends["cut.pt"] == pytest.approx(ends["whole.pt"], abs=1e-6)
    assert abs(ends["whole.pt"][0] - 0.1) > 0.01  # something was learned
