"""Small differences of networks: levels by hand, how exact they are, what does not fit."""

import pytest
import torch

from rcnn_lite.models.differences import LEVELS, apply_difference, pack_difference


def test_levels_by_hand():
    """Each row has its own scale: its largest change is level 127, the others are shares of it."""
    before = {"w": torch.zeros(2, 3)}
    after = {"w": torch.tensor([[1.0, -0.5, 0.1], [0.25, 0.0, -0.25]])}
    packed = pack_difference(after, before)
    assert packed["w"].dtype == torch.int8
    assert packed["w"].tolist() == [[127, -64, 13], [127, 0, -127]]  # 63.5 and 12.7
    assert packed["w/largest"].tolist() == [[1.0], [0.25]]
    restored = apply_difference(packed, before)["w"]
    expected = torch.tensor([[1.0, -64 / 127, 13 / 127], [0.25, 0.0, -0.25]])
    torch.testing.assert_close(restored, expected, atol=1e-7, rtol=0)


def test_the_difference_is_added_to_the_reference():
    before = {"w": torch.full((1, 2), 10.0), "b": torch.tensor([5.0, 6.0])}
    after = {"w": torch.tensor([[10.5, 9.5]]), "b": torch.tensor([5.0, 6.25])}
    restored = apply_difference(pack_difference(after, before), before)
    assert restored["w"].tolist() == [[10.5, 9.5]]
    assert restored["b"].tolist() == [5.0, 6.25]  # of a vector each number has its own scale: exact


def test_what_did_not_change_is_not_stored():
    before = {"same": torch.ones(4, 4), "other": torch.ones(2, 2), "count": torch.tensor(3)}
    packed = pack_difference(before | {"other": torch.zeros(2, 2)}, before)
    assert set(packed) == {"other", "other/largest"}
    assert pack_difference(before, before) == {}
    restored = apply_difference({}, before)
    assert all(torch.equal(restored[name], before[name]) for name in before)


def test_the_error_is_at_most_half_a_level(generator):
    before = {"w": torch.randn(30, 7, 3, 3, generator=generator)}
    change = torch.randn(30, 7, 3, 3, generator=generator) * torch.logspace(-4, 1, 30)[:, None, None, None]
    after = {"w": before["w"] + change}
    restored = apply_difference(pack_difference(after, before), before)["w"]
    largest = change.abs().flatten(1).amax(dim=1)
    error = (restored - after["w"]).abs().flatten(1).amax(dim=1)
    assert (error <= largest * (0.5 / LEVELS + 2**-10) + 1e-5).all()  # 2 ** -10: largest is kept in half precision
    assert (error > 0).any()


def test_what_is_packed_survives_half_precision(generator):
    """Checkpoints round floating tensors to half precision: the scales must not change by it."""
    packed = pack_difference({"w": torch.randn(5, 4, generator=generator)}, {"w": torch.zeros(5, 4)})
    assert torch.equal(packed["w/largest"], packed["w/largest"].half().float())


def test_tiny_changes_do_not_divide_by_zero():
    before = {"w": torch.zeros(2, 2)}
    packed = pack_difference({"w": torch.tensor([[1e-9, 0.0], [0.0, 0.0]])}, before)
    restored = apply_difference(packed, before)["w"]
    assert torch.isfinite(restored).all()
    assert restored.abs().max() < 1e-6


def test_a_single_number_may_change():
    before = {"count": torch.tensor(1.0)}
    after = {"count": torch.tensor(1.5)}
    assert apply_difference(pack_difference(after, before), before)["count"].item() == pytest.approx(1.5)


def test_the_reference_stays_as_it_is():
    before = {"w": torch.ones(2, 2)}
    apply_difference(pack_difference({"w": torch.zeros(2, 2)}, before), before)
    assert before["w"].tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_networks_that_do_not_fit_are_named():
    before = {"a": torch.zeros(2), "b": torch.zeros(2, 3)}
    with pytest.raises(ValueError, match="the networks differ in b: torch.Size"):
        pack_difference({"a": torch.zeros(2), "b": torch.zeros(3, 2)}, before)
    with pytest.raises(ValueError, match="the networks differ in c: torch.Size.* and None"):
        pack_difference(before | {"c": torch.zeros(1)}, before)
    packed = pack_difference({"a": torch.ones(2), "b": torch.zeros(2, 3)}, before)
    with pytest.raises(ValueError, match="the difference changes a, which the network does not have"):
        apply_difference(packed, {"b": torch.zeros(2, 3)})
    with pytest.raises(ValueError, match=r"the difference of a has shape \(2,\), the network's \(5,\)"):
        apply_difference(packed, {"a": torch.zeros(5), "b": torch.zeros(2, 3)})
