"""Proposals in a file: read back, gone on with, and refused where they belong to other pictures."""

import pytest
import torch

from rcnn_lite.checkpoints import load_records
from rcnn_lite.proposals.stored import SAVE_EVERY, load_proposals, propose_all


class Blanks:
    """Empty pictures of 8 x 8."""

    def __init__(self, length, fingerprint="blanks"):
        self.length, self.fingerprint = length, fingerprint

    def __len__(self):
        return self.length

    def __getitem__(self, index):
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


def test_an_interrupted_call_goes_on(tmp_path):
    def stops(index, image):
        if index == SAVE_EVERY + 3:
            raise KeyboardInterrupt
        return of_image(index, image)

    file, data, calls = tmp_path / "p.safetensors", Blanks(SAVE_EVERY + 5), []
    with pytest.raises(KeyboardInterrupt):
        propose_all(stops, data, file)
    with pytest.raises(ValueError, match=f"has the proposals of {SAVE_EVERY} pictures only, the data set has"):
        load_proposals(file, data)
    resumed = propose_all(lambda i, image: calls.append(i) or of_image(i, image), data, file)
    assert calls == list(range(SAVE_EVERY, SAVE_EVERY + 5))
    torch.testing.assert_close(resumed, [of_image(i, None) for i in range(len(data))])


def test_proposals_of_another_image_set_are_refused(tmp_path):
    file = tmp_path / "p.safetensors"
    propose_all(of_image, Blanks(2), file)
    for read in (load_proposals, lambda file, data: propose_all(of_image, data, file)):
        with pytest.raises(ValueError, match="belong|another image set: its fingerprint is 'blanks', .* 'others'"):
            read(file, Blanks(2, "others"))
    with pytest.raises(ValueError, match="was made by 'selective search', not by 'edge boxes'"):
        propose_all(of_image, Blanks(2), file, "edge boxes")
    assert len(load_records(file)[0]) == 2  # nothing was lost


def test_a_missing_or_damaged_file_is_named(tmp_path):
    with pytest.raises(ValueError, match="there is no checkpoint .*p.safetensors"):
        load_proposals(tmp_path / "p.safetensors", Blanks(2))
    (tmp_path / "p.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="damaged"):
        load_proposals(tmp_path / "p.safetensors", Blanks(2))
