"""Proposals in a file: read back, gone on with, spread over workers, refused where they belong to other pictures."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from rcnn_lite.checkpoints import load_records
from rcnn_lite.proposals.stored import load_proposals, propose_all

ROOT = Path(__file__).resolve().parents[2]


class Blanks:
    """Empty pictures of 8 x 8; `damaged` ones cannot be read."""

    def __init__(self, length, fingerprint="blanks", damaged=()):
        self.length, self.fingerprint, self.damaged = length, fingerprint, damaged

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        if index in self.damaged:
            raise ValueError(f"photographs/{index}.jpg is cut short")
        return torch.zeros(3, 8, 8), {}


def of_image(index, image):
    """As many boxes as the index says, none for the first picture."""
    return torch.arange(4 * index, dtype=torch.float32).reshape(index, 4) + torch.tensor([0.0, 0.0, 4.0, 4.0])


def test_made_once_and_read_back(tmp_path):
    calls = []
    propose = lambda i, image: calls.append(i) or of_image(i, image)  # noqa: E731
    made = propose_all(propose, Blanks(3), tmp_path / "p.safetensors")
    read = propose_all(propose, Blanks(3), tmp_path / "p.safetensors")
    assert calls == [0, 1, 2]
    assert [len(boxes) for boxes in made] == [0, 1, 2]
    torch.testing.assert_close(made, read)
    torch.testing.assert_close(load_proposals(tmp_path / "p.safetensors", Blanks(3)), made)
    assert len(load_proposals(tmp_path / "p.safetensors", Blanks(2))) == 2  # the first of the same pictures
    assert [path.name for path in tmp_path.iterdir()] == ["p.safetensors"]


def test_more_of_the_same_pictures_are_added(tmp_path):
    file, calls = tmp_path / "p.safetensors", []
    propose_all(of_image, Blanks(2), file)
    with pytest.raises(ValueError, match="has the proposals of 2 pictures only, the data set has 4"):
        load_proposals(file, Blanks(4))
    more = propose_all(lambda i, image: calls.append(i) or of_image(i, image), Blanks(4), file)
    assert calls == [2, 3]
    torch.testing.assert_close(more, [of_image(i, None) for i in range(4)])


def test_a_damaged_picture_is_named_and_nothing_is_lost(tmp_path):
    file, calls = tmp_path / "p.safetensors", []
    with pytest.raises(ValueError, match=r"^image 3 of the data set cannot be used: photographs/3.jpg is cut short$"):
        propose_all(of_image, Blanks(6, damaged=[3]), file)
    assert not file.exists()
    resumed = propose_all(lambda i, image: calls.append(i) or of_image(i, image), Blanks(6), file)
    assert calls == [3, 4, 5]
    torch.testing.assert_close(resumed, [of_image(i, None) for i in range(6)])


KILLED = """
import os, signal, sys
sys.path[:0] = ["tests/proposals"]
from test_stored import Blanks, of_image, propose_all

def propose(index, image):
    if index == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return of_image(index, image)

propose_all(propose, Blanks(8), sys.argv[1])
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_call_that_is_killed_goes_on_in_two_workers(tmp_path):
    """Killed at the eighth picture. What is there then is not made again; that the eighth is damaged costs no other."""
    env = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    command = [sys.executable, "-c", KILLED, str(tmp_path / "p.safetensors")]
    assert subprocess.run(command, cwd=ROOT, env=env).returncode == -signal.SIGKILL
    parts = tmp_path / "p.parts"
    done = {path: path.stat().st_mtime_ns for path in parts.glob("*.safetensors")}
    assert len(done) == 7
    for path in sorted(done)[2:4]:
        path.unlink()  # so that there is more than one to do
    damaged = Blanks(8, damaged=[7])
    with pytest.raises(ValueError, match="^image 7 of the data set cannot be used: photographs/7.jpg is cut short$"):
        propose_all(of_image, damaged, tmp_path / "p.safetensors", workers=2)
    kept = sorted(done)[:2] + sorted(done)[4:]
    assert [path.stat().st_mtime_ns for path in kept] == [done[path] for path in kept]
    found = propose_all(of_image, Blanks(8), tmp_path / "p.safetensors")
    torch.testing.assert_close(found, [of_image(i, None) for i in range(8)])
    assert [path.name for path in tmp_path.iterdir()] == ["p.safetensors"]


def test_proposals_of_another_image_set_are_refused(tmp_path):
    file = tmp_path / "p.safetensors"
    propose_all(of_image, Blanks(2), file)
    for read in (load_proposals, lambda file, data: propose_all(of_image, data, file)):
        with pytest.raises(ValueError, match="another image set: its fingerprint is 'blanks', .* 'others'"):
            read(file, Blanks(2, "others"))
    with pytest.raises(ValueError, match="was made by 'selective search', not by 'edge boxes'"):
        propose_all(of_image, Blanks(2), file, "edge boxes")
    assert len(load_records(file)[0]) == 2  # nothing was lost


def test_unfinished_proposals_of_another_image_set_are_refused(tmp_path):
    file = tmp_path / "p.safetensors"
    with pytest.raises(ValueError, match="image 1"):
        propose_all(of_image, Blanks(2, damaged=[1]), file)
    with pytest.raises(ValueError, match=r"p.parts holds proposals unfinished by .*'blanks'.*, not by .*'others'"):
        propose_all(of_image, Blanks(2, "others"), file)
    assert len(propose_all(of_image, Blanks(2), file)) == 2


def test_a_missing_or_damaged_file_is_named(tmp_path):
    with pytest.raises(ValueError, match="there is no checkpoint .*p.safetensors"):
        load_proposals(tmp_path / "p.safetensors", Blanks(2))
    (tmp_path / "p.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="damaged"):
        load_proposals(tmp_path / "p.safetensors", Blanks(2))
