"""The RPN: labels and proposals by hand, losses and proposals equal to torchvision's, every empty and broken case."""

import math
from dataclasses import replace

import pytest
import torch
from torchvision.models.detection import rpn as peer
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList

from rcnn_lite.proposals.rpn import ProposalCounts, RegionProposalNetwork, RPNHead, RPNPredictions, RPNSettings

STRIDE, CHANNELS = 16, 5
ALL = ProposalCounts(10**6, 10**6)


def small_rpn(generator, sizes=(16.0,), ratios=(1.0,), **settings):
    chosen = RPNSettings(anchor_sizes=sizes, aspect_ratios=ratios, **settings)
    return RegionProposalNetwork(CHANNELS, STRIDE, chosen, generator)


def random_map(generator, h, w):
    return torch.randn(1, CHANNELS, h, w, generator=generator)


def target_of(*rows, **more):
    return {"boxes": torch.tensor(rows).reshape(-1, 4)} | more


# ---- which anchors are positive ----


def test_labels_and_deltas_by_hand(generator):
    """A grid of 3 x 4 tiles of 16 x 16. Row 0: an object that is tile 0; one that overlaps tile 1 by 160 / 384 = 0.42,
    its best, so positive, and tile 2 by 128 / 416 = 0.31: ignored. Row 1: an object at 192 / 320 = 0.6 of tile 5, its
    best, and 64 / 448 = 0.14 of tile 6: background. Row 2: one over tiles 10 and 11, 0.5 of each: a tie, both positive.
    """
    rpn = small_rpn(generator)
    anchors = rpn(random_map(generator, 3, 4)).anchors
    assert anchors[[0, 1, 4]].tolist() == [[0, 0, 16, 16], [16, 0, 32, 16], [0, 16, 16, 32]]
    objects = ([0.0, 0, 16, 16], [22.0, 0, 40, 16], [20.0, 16, 36, 32], [32.0, 32, 64, 48])
    labels, deltas = rpn.assign(anchors, (48, 64), target_of(*objects))
    assert labels.tolist() == [1, 1, -1, 0, 0, 1, 0, 0, 0, 0, 1, 1]
    expected = torch.zeros(12, 4)
    expected[1] = torch.tensor([7 / 16, 0, math.log(18 / 16), 0])
    expected[5] = torch.tensor([4 / 16, 0, 0, 0])
    expected[10] = torch.tensor([8 / 16, 0, math.log(2), 0])
    expected[11] = torch.tensor([-8 / 16, 0, math.log(2), 0])
    torch.testing.assert_close(deltas, expected)


def test_anchors_above_the_threshold_are_positive_too_and_those_across_the_border_are_ignored(generator):
    """Around (8, 8): the object is the 16's; the 14 is 196 / 256 = 0.77 of it; the 18, at 0.79, reaches 1 pixel out."""
    rpn = small_rpn(generator, sizes=(14.0, 16.0, 18.0))
    anchors, target = rpn(random_map(generator, 1, 1)).anchors, target_of([0.0, 0, 16, 16])
    assert rpn.assign(anchors, (32, 32), target).labels.tolist() == [1, 1, -1]
    for border, last in ((0.9, -1), (1.0, 1), (math.inf, 1)):
        rpn.settings = replace(rpn.settings, border=border)
        assert rpn.assign(anchors, (32, 32), target).labels.tolist() == [1, 1, last]


@pytest.mark.parametrize("image_size", [(16, 15), (15, 16)])
def test_an_anchor_may_touch_the_border_but_not_cross_it(image_size, generator):
    rpn = small_rpn(generator)
    anchors = rpn(random_map(generator, 1, 1)).anchors
    assert rpn.assign(anchors, (16, 16), target_of()).labels.tolist() == [0]
    assert rpn.assign(anchors, image_size, target_of()).labels.tolist() == [-1]


def test_an_anchor_across_the_border_is_nobodys_best(generator):
    """The 24 would be a perfect fit of an object that is itself partly outside, but 256 / 576 = 0.44 has to do."""
    rpn = small_rpn(generator, sizes=(16.0, 24.0))
    anchors = rpn(random_map(generator, 1, 1)).anchors
    labels, deltas = rpn.assign(anchors, (32, 32), target_of([-4.0, -4, 20, 20]))
    assert labels.tolist() == [1, -1]
    torch.testing.assert_close(deltas, torch.tensor([[0, 0, math.log(1.5), math.log(1.5)], [0, 0, 0, 0]]))


def test_objects_out_of_reach_none_at_all_and_crowds(generator):
    rpn = small_rpn(generator)
    anchors = rpn(random_map(generator, 2, 2)).anchors
    label = lambda target: rpn.assign(anchors, (32, 32), target).labels.tolist()  # noqa: E731
    assert label(target_of()) == [0, 0, 0, 0]
    assert label(target_of([100.0, 100, 130, 130])) == [0, 0, 0, 0]
    assert label(target_of([-30.0, -30, 0, 0])) == [0, 0, 0, 0]  # touches
    crowd = target_of([0.0, 0, 16, 16], [16.0, 0, 32, 16], iscrowd=torch.tensor([1, 0]))
    assert label(crowd) == [0, 1, 0, 0]
    with pytest.raises(ValueError, match=r"gt_boxes\[0\] has x2 <= x1"):
        label(target_of([3.0, 0, 3, 10]))


def test_more_objects_than_anchors(generator):
    """One anchor, best of five objects at once: it goes to the one that it overlaps most."""
    rpn = small_rpn(generator)
    anchors = rpn(random_map(generator, 1, 1)).anchors
    objects = [[0.0, 0, 16, side] for side in (2.0, 4.0, 12.0, 8.0, 30.0)]
    labels, deltas = rpn.assign(anchors, (40, 40), target_of(*objects))
    assert labels.tolist() == [1]
    torch.testing.assert_close(deltas, torch.tensor([[0, -2 / 16, 0, math.log(12 / 16)]]))


def test_a_picture_smaller_than_every_anchor_has_nothing_to_learn_from(generator):
    rpn = small_rpn(generator)
    predictions = rpn(random_map(generator, 1, 1))
    assert rpn.assign(predictions.anchors, (9, 7), target_of([0.0, 0, 7, 9])).labels.tolist() == [-1]
    losses = rpn.losses([predictions], [(9, 7)], [target_of([0.0, 0, 7, 9])], generator)
    sum(losses.values()).backward()
    assert [float(value.detach()) for value in losses.values()] == [0, 0]


# ---- the mini-batch and the loss ----


def test_half_is_positive_at_most_and_negatives_fill_up(generator):
    rpn = small_rpn(generator, anchors_per_image=20)
    count = lambda *values: [int((rpn.sample(torch.tensor(values), generator) == side).sum()) for side in (1, 0, -1)]  # noqa: E731
    assert count(*[1] * 30, *[0] * 50, *[-1] * 9) == [10, 10, 69]
    assert count(*[1] * 3, *[0] * 50, *[-1] * 9) == [3, 17, 42]
    assert count(*[0] * 50) == [0, 20, 30]
    assert count(*[1] * 30, *[0] * 4) == [10, 4, 20]  # too few of both: a smaller batch
    assert count(*[-1] * 5) == [0, 0, 5]


def test_the_draw_comes_from_the_generator_and_keeps_labels(generator):
    rpn, labels = small_rpn(generator, anchors_per_image=20), torch.tensor([1, 0, -1] * 40)
    draw = lambda seed: rpn.sample(labels, torch.Generator().manual_seed(seed))  # noqa: E731
    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))
    drawn = draw(1)
    assert torch.equal(drawn[drawn >= 0], labels[drawn >= 0])


def test_the_loss_by_hand(generator):
    """Weights of zero: each anchor costs ln 2. The one positive of two maps of 1 x 2 places is off by 1/2 in t_x."""
    rpn = small_rpn(generator, loss_weight=3.0)
    for parameter in rpn.parameters():
        torch.nn.init.zeros_(parameter)
    seen = [rpn(random_map(generator, 1, 2)) for _ in range(2)]
    losses = rpn.losses(seen, [(16, 32)] * 2, [target_of([8.0, 0, 24, 16], [0.0, 0, 2, 16]), target_of()], generator)
    assert float(losses["objectness"].detach()) == pytest.approx(math.log(2))
    assert float(losses["rpn_box_regression"].detach()) == pytest.approx(3 * 2 * 0.5**2 / 2 / 4)  # both tiles tie


def test_two_pictures_of_one_size_cost_the_mean_of_both(generator):
    rpn = small_rpn(generator, sizes=(16.0, 32.0), anchors_per_image=30)
    seen = [rpn(random_map(generator, 6, 6)) for _ in range(2)]
    targets = [target_of([10.0, 10, 30, 40]), target_of([30.0, 20, 70, 50], [0.0, 0, 20, 20])]
    together = rpn.losses(seen, [(96, 96)] * 2, targets, torch.Generator().manual_seed(1))
    draws = torch.Generator().manual_seed(1)
    alone = [rpn.losses([one], [(96, 96)], [target], draws) for one, target in zip(seen, targets, strict=True)]
    for name, value in together.items():
        torch.testing.assert_close(value, (alone[0][name] + alone[1][name]) / 2)


def test_the_number_of_images_must_agree(generator):
    rpn = small_rpn(generator)
    for count in (0, 1):
        seen = [rpn(random_map(generator, 1, 1))] * count
        with pytest.raises(ValueError, match=f"for the same images, got {count}, {2 * count} and {count}"):
            rpn.losses(seen, [(16, 16)] * 2 * count, [target_of()] * count)


# ---- proposals ----


def by_hand(*rows):
    """Predictions that leave their anchors where they are: rows of x1, y1, x2, y2, logit."""
    values = torch.tensor(rows)
    return RPNPredictions(values[:, 4], torch.zeros(len(rows), 4), values[:, :4])


def test_proposals_by_hand(generator):
    """The second overlaps the first by 0.8, the third is clipped, the fourth is small after clipping, the fifth not."""
    rpn = small_rpn(generator, min_size=5.0)
    seen = by_hand(
        [10.0, 10, 30, 26, 1], [10.0, 10, 30, 30, 2], [50.0, 40, 90, 90, 3], [-20.0, 0, 4.9, 20, 9], [0.0, 0, 5, 5, 0]
    )
    boxes, scores = rpn.propose(seen, (70, 80), ALL)
    assert boxes.tolist() == [[50, 40, 80, 70], [10, 10, 30, 30], [0, 0, 5, 5]]
    torch.testing.assert_close(scores, torch.tensor([3.0, 2.0, 0.0]).sigmoid())
    few = lambda *counts: rpn.propose(seen, (70, 80), ProposalCounts(*counts))[1].tolist()  # noqa: E731
    assert few(3, 9) == scores[:2].tolist()  # the small one took no place, the overlapping one did
    assert few(9, 1) == scores[:1].tolist()
    assert few(0, 9) == few(9, 0) == []


def test_deltas_move_proposals_and_equal_scores_keep_their_order(generator):
    rpn = small_rpn(generator, min_size=0.0)
    seen = by_hand([0.0, 0, 10, 10, 1], [40.0, 40, 50, 50, 1], [40.0, 0, 50, 10, 1])
    seen.deltas[0] = torch.tensor([1.0, 2.0, 0.0, math.log(2)])
    boxes, _ = rpn.propose(seen, (70, 80), ALL)
    torch.testing.assert_close(boxes, torch.tensor([[10.0, 15, 20, 35], [40, 40, 50, 50], [40, 0, 50, 10]]))


def test_no_proposals(generator):
    rpn = small_rpn(generator)
    boxes, scores = rpn.propose(rpn(random_map(generator, 1, 1)), (9, 7), ALL)  # smaller than min_size
    assert (boxes.shape, scores.shape) == ((0, 4), (0,))


@pytest.mark.parametrize(
    ("h", "w", "image_size"), [(1, 1, (16, 16)), (1, 1, (20, 17)), (3, 5, (45, 67)), (1, 9, (16, 144))]
)
def test_maps_of_any_size(h, w, image_size, generator):
    rpn = small_rpn(generator, sizes=(16.0, 32.0), ratios=(0.5, 1.0, 2.0), min_size=1.0)
    seen = rpn(random_map(generator, h, w))
    assert [tuple(v.shape) for v in seen] == [(h * w * 6,), (h * w * 6, 4), (h * w * 6, 4)]
    boxes, scores = rpn.propose(seen, image_size, rpn.settings.testing)
    assert len(boxes) == len(scores) > 0
    assert boxes.min() >= 0
    assert (boxes[:, 2:] <= torch.tensor([image_size[1], image_size[0]])).all()
    assert (scores.diff() <= 0).all()
    losses = rpn.losses([seen], [image_size], [target_of([0.0, 0, 15, 15])], generator)
    assert all(torch.isfinite(value) for value in losses.values())


def test_counts_are_the_callers_and_not_the_modes(generator):
    rpn = small_rpn(generator, sizes=(16.0, 32.0), training=ProposalCounts(50, 7), testing=ProposalCounts(40, 3))
    seen = rpn(random_map(generator, 6, 6))
    for mode in (True, False):
        rpn.train(mode)
        assert [len(rpn.propose(seen, (96, 96), c)[0]) for c in (rpn.settings.training, rpn.settings.testing)] == [7, 3]


def test_not_a_number(generator):
    """Losses pass it on, for the training loop to name; proposals refuse to be made of it."""
    rpn, features = small_rpn(generator), random_map(generator, 2, 2)
    features[0, 0, 1, 1] = math.nan
    losses = rpn.losses([rpn(features)], [(32, 32)], [target_of([0.0, 0, 16, 16])], generator)
    assert all(math.isnan(value.detach()) for value in losses.values())
    seen = rpn(random_map(generator, 2, 2))
    for bad in (math.nan, math.inf):
        with pytest.raises(FloatingPointError, match=r"RPN's logits are not all finite \(objectness\)"):
            rpn.propose(seen._replace(logits=seen.logits.detach() + bad), (32, 32), ALL)
        with pytest.raises(FloatingPointError, match=r"RPN's deltas are not all finite \(rpn_box_regression\)"):
            rpn.propose(seen._replace(deltas=seen.deltas.detach() + bad), (32, 32), ALL)


@pytest.mark.parametrize("shape", [(2, CHANNELS, 3, 3), (CHANNELS, 3, 3), (0, CHANNELS, 3, 3), (1, CHANNELS, 0, 3)])
def test_one_map_of_one_image(shape, generator):
    with pytest.raises(ValueError, match=r"features must be one map \(1, C, h, w\) of a cell or more, got \("):
        small_rpn(generator)(torch.zeros(shape))


# ---- the network ----


def test_first_weights(generator):
    head = RPNHead(64, 9, generator)
    for name, parameter in head.named_parameters():
        if name.endswith("weight"):
            assert float(parameter.detach().std()) == pytest.approx(0.01, rel=0.1)
        else:
            assert not parameter.detach().any()
    again, other = RPNHead(64, 9, torch.Generator().manual_seed(0)), RPNHead(64, 9, torch.Generator().manual_seed(1))
    assert torch.equal(head.bbox_pred.weight, again.bbox_pred.weight)
    assert not torch.equal(head.bbox_pred.weight, other.bbox_pred.weight)


def test_what_moves_by_a_cell_is_proposed_a_stride_further(generator):
    """Section 3.1.1: translation invariant. Two cells of the border see the padding, or what was moved in."""
    rpn, features = small_rpn(generator, sizes=(16.0, 40.0), ratios=(0.5, 2.0)), random_map(generator, 7, 9)
    here, there = rpn(features), rpn(features.roll((1, 2), dims=(2, 3)))
    grid = lambda values: values.unflatten(0, (7, 9, 4))  # noqa: E731
    for name in ("logits", "deltas"):
        before, after = grid(getattr(here, name))[1:-2, 1:-3], grid(getattr(there, name))[2:-1, 3:-1]
        torch.testing.assert_close(before, after)
    shift = grid(there.anchors)[2:-1, 3:-1] - grid(here.anchors)[1:-2, 1:-3]
    torch.testing.assert_close(shift, torch.tensor([32.0, 16.0, 32.0, 16.0]).expand_as(shift))


def test_it_equals_a_small_network_that_slides(generator):
    """A fully connected layer on each window of 3 x 3 cells, and two on what it says: section 3.1."""
    rpn, features = small_rpn(generator, sizes=(16.0, 40.0)), random_map(generator, 4, 5)
    seen, head = rpn(features), rpn.head
    padded = torch.nn.functional.pad(features[0], (1, 1, 1, 1))
    for y, x in ((0, 0), (1, 3), (3, 4)):
        window = padded[:, y : y + 3, x : x + 3].flatten()
        hidden = (head.conv[0][0].weight.flatten(1) @ window + head.conv[0][0].bias).relu()
        first = (y * 5 + x) * 2
        torch.testing.assert_close(seen.logits[first : first + 2], head.cls_logits.weight.flatten(1) @ hidden)
        deltas = head.bbox_pred.weight.flatten(1) @ hidden
        torch.testing.assert_close(seen.deltas[first : first + 2], deltas.reshape(2, 4))


def test_gradients_reach_head_and_map_but_do_not_flow_through_proposals(generator):
    rpn, features = small_rpn(generator), random_map(generator, 3, 3).requires_grad_()
    seen = rpn(features)
    boxes, scores = rpn.propose(seen, (48, 48), ALL)
    assert seen.deltas.requires_grad
    assert not boxes.requires_grad
    assert not scores.requires_grad
    losses = rpn.losses([seen], [(48, 48)], [target_of([3.0, 3, 20, 22])], generator)
    for value in losses.values():
        gradients = torch.autograd.grad(value, [features, rpn.head.conv[0][0].weight], retain_graph=True)
        assert all(gradient.any() for gradient in gradients)
    sum(losses.values()).backward()
    assert all(p.grad.any() for p in rpn.parameters())


# ---- torchvision ----

SIZE = (160, 240)
TARGETS = [target_of([20.0, 30, 90, 120], [100.0, 20, 140, 60], [190.0, 100, 260, 170]), target_of()]


def both(generator, **counts):
    """Ours and torchvision's with the same weights and settings, and the maps of two pictures."""
    sizes, ratios = (32.0, 64.0, 100.0), (0.5, 1.0, 2.0)
    count = ProposalCounts(400, 60)
    ours = small_rpn(
        generator, sizes, ratios, anchor_offset=0.0, border=math.inf, beta=1 / 9, min_size=1e-3, testing=count, **counts
    )
    per_image = ours.settings.anchors_per_image
    before, after = ({"training": n, "testing": n} for n in count)
    head = peer.RPNHead(CHANNELS, 9)
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter, std=0.2, generator=generator)
    theirs = peer.RegionProposalNetwork(
        AnchorGenerator((sizes,), (ratios,)), head, 0.7, 0.3, per_image, 0.5, before, after, 0.7
    )
    ours.load_state_dict(theirs.state_dict())
    ours.cell_anchors.round_()
    return ours, theirs, torch.cat([random_map(generator, 10, 15) for _ in TARGETS])


def ask(theirs, features):
    """Proposals and losses of torchvision's network."""
    pictures = ImageList(torch.zeros(len(features), 3, *SIZE), [SIZE] * len(features))
    return theirs(pictures, {"0": features}, TARGETS)


def test_proposals_equal_torchvisions(generator):
    ours, theirs, features = both(generator)
    expected, _ = ask(theirs.eval(), features)
    for one, boxes in zip(features.split(1), expected, strict=True):
        found, scores = ours.propose(ours(one), SIZE, ours.settings.testing)
        assert len(found) == 60
        assert scores.max() - scores.min() > 0.1
        torch.testing.assert_close(found, boxes, rtol=0, atol=1e-4)


@pytest.mark.parametrize("per_image", [256, 10**5])
def test_losses_equal_torchvisions(per_image, generator):
    """Of a mini-batch that ours draws, and of all anchors, which torchvision's own sampler takes. There both terms are
    divided by the number of sampled anchors.
    """
    ours, theirs, features = both(generator, anchors_per_image=per_image)
    seen = [ours(one) for one in features.split(1)]
    draws = torch.Generator().manual_seed(5)
    assigned = [ours.assign(one.anchors, SIZE, target) for one, target in zip(seen, TARGETS, strict=True)]
    drawn = [ours.sample(found.labels, draws) for found in assigned]
    if per_image == 256:
        theirs.fg_bg_sampler = lambda labels: ([one == 1 for one in drawn], [one == 0 for one in drawn])
    _, expected = ask(theirs.train(), features)
    sampled, locations = sum(int((one >= 0).sum()) for one in drawn), 2 * 10 * 15
    ours.settings = replace(ours.settings, loss_weight=locations / sampled)
    found = ours.losses(seen, [SIZE] * 2, TARGETS, torch.Generator().manual_seed(5))
    assert expected["loss_rpn_box_reg"] > 1e-3
    torch.testing.assert_close(found["objectness"], expected["loss_objectness"], rtol=0, atol=1e-5)
    torch.testing.assert_close(found["rpn_box_regression"], expected["loss_rpn_box_reg"], rtol=0, atol=1e-5)
    for found_labels, their_labels in zip(
        assigned, theirs.assign_targets_to_anchors([s.anchors for s in seen], TARGETS)[0], strict=True
    ):
        assert torch.equal(found_labels.labels.float(), their_labels)
