"""Mask targets and pasted masks: worked by hand, moved by halves of a pixel, torchvision's, memory, bad input."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torchvision.models.detection.roi_heads import paste_masks_in_image, project_masks_on_boxes

from rcnn_lite.regions.masks import mask_targets, paste_masks, require_masks, whole_pixel_boxes

ZERO = torch.tensor([0])


def box(*numbers):
    return torch.tensor([numbers], dtype=torch.float32)


def blob(height=60, width=80, seed=1, count=1):
    """Masks with wavy outlines, one connected piece or several, away from the border."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    generator = torch.Generator().manual_seed(seed)
    made = []
    for _ in range(count):
        cx, cy, phase = (torch.rand(3, generator=generator) * torch.tensor([20.0, 16.0, 6.0])).tolist()
        angle = torch.atan2(y - cy - 22, x - cx - 30)
        radius = torch.hypot(y - cy - 22, x - cx - 30)
        made.append((radius < 12 + 3 * torch.sin(3 * angle + phase)).to(torch.uint8))
    return torch.stack(made)


def random_boxes(generator, count, height=60.0, width=80.0):
    corners = torch.rand(count, 2, 2, generator=generator) * torch.tensor([width, height])
    return torch.cat((corners.amin(1), corners.amax(1) + 0.2), dim=1)


# Targets.


def test_a_full_mask_is_full_and_its_surroundings_are_not():
    masks = torch.zeros(1, 40, 40, dtype=torch.uint8)
    masks[0, 6:34, 6:34] = 1
    assert (mask_targets(masks, box(6, 6, 34, 34), ZERO, 28) == 1).all()
    grown = mask_targets(masks, box(5, 5, 35, 35), ZERO, 30)[0]  # cells are pixels
    assert torch.equal(grown, torch.nn.functional.pad(torch.ones(28, 28), (1, 1, 1, 1)))
    slipped = mask_targets(masks, box(6, 6, 34, 34), ZERO, 28, aligned=False)[0]
    assert (slipped[-1, :-1] == 0.5).all()
    assert (slipped[:, -1][:-1] == 0.5).all()
    assert (slipped[:-1, :-1] == 1).all()


def test_the_target_follows_whole_pixels_and_half_pixels():
    masks, size = blob(), 28
    own = box(31, 17, 45, 31)  # 14 x 14 pixels on the outline: cells are half pixels
    target = mask_targets(masks, own, ZERO, size)[0]
    assert 0.1 < target.mean() < 0.9
    moved = masks.roll((3, -7), (1, 2))
    assert torch.equal(mask_targets(moved, own + torch.tensor([-7.0, 3, -7, 3]), ZERO, size)[0], target)
    # the box half a pixel to the right: all moves one cell to the left; the mask one pixel to the right: two cells
    right = mask_targets(masks, own + torch.tensor([0.5, 0, 0.5, 0]), ZERO, size)[0]
    assert torch.equal(right[:, :-1], target[:, 1:])
    down = mask_targets(masks, own + torch.tensor([0, 0.5, 0, 0.5]), ZERO, size)[0]
    assert torch.equal(down[:-1], target[1:])
    assert torch.equal(mask_targets(masks.roll(1, 2), own, ZERO, size)[0][:, 2:], target[:, :-2])


@pytest.mark.parametrize("offset", [0.0, 0.25, 0.5, 0.9])
@pytest.mark.parametrize(("aligned", "slip"), [(True, 0.0), (False, -0.5)])
def test_the_centre_of_mass_is_where_it_was(offset, aligned, slip):
    """Also after the mask is moved by half a pixel, on a grid of half the pixels."""
    for masks, scale, shift in ((blob(), 1, 0), (blob().repeat_interleave(2, 1).repeat_interleave(2, 2), 2, 1)):
        masks = masks.roll(shift, 2)  # by 1 / scale of a pixel
        own = box(13 + offset, 6 - offset, 70 - offset, 54 + offset) * scale
        target = mask_targets(masks, own, ZERO, 28, aligned)[0]
        cells = (torch.arange(28) + 0.5) / 28
        seen = torch.stack(((target.sum(0) * cells).sum(), (target.sum(1) * cells).sum())) / target.sum()
        seen = (own[0, :2] + seen * (own[0, 2:] - own[0, :2])) / scale  # x, y in pixels
        y, x = torch.nonzero(masks[0]).T.double()
        expected = torch.stack((x.mean() + 0.5, y.mean() + 0.5)) / scale
        # what is read half a pixel further left and above
        torch.testing.assert_close(seen.double(), expected + slip / scale, atol=0.03, rtol=0)


def test_in_a_mirror_the_target_is_mirrored(generator):
    masks, boxes = blob(), random_boxes(generator, 20)
    mirrored = torch.stack((80 - boxes[:, 2], boxes[:, 1], 80 - boxes[:, 0], boxes[:, 3]), dim=1)
    matched = torch.zeros(20, dtype=torch.int64)
    for aligned in (True, False):
        there = mask_targets(masks, boxes, matched, 14, aligned)
        back = mask_targets(masks.flip(2), mirrored, matched, 14, aligned).flip(2)
        assert torch.allclose(there, back, atol=1e-4) is aligned


def test_equals_torchvision_where_it_slips_and_where_its_boxes_are_moved_back(generator):
    masks, boxes = blob(count=5), random_boxes(generator, 40)
    matched = torch.randint(5, (40,), generator=generator)
    theirs = project_masks_on_boxes(masks, boxes, matched, 28)
    torch.testing.assert_close(mask_targets(masks, boxes, matched, 28, aligned=False), theirs, atol=1e-5, rtol=1e-5)
    assert (mask_targets(masks, boxes, matched, 28) - theirs).abs().max() > 0.3
    large = ((boxes[:, 2:] - boxes[:, :2]) >= 1).all(1)  # smaller ones it makes one pixel wide
    boxes, matched = boxes[large], matched[large]
    theirs = project_masks_on_boxes(masks, boxes - 0.5, matched, 28)
    torch.testing.assert_close(mask_targets(masks, boxes, matched, 28), theirs, atol=1e-4, rtol=1e-4)


def test_an_object_one_pixel_wide_keeps_its_target():
    masks = torch.zeros(1, 30, 30, dtype=torch.uint8)
    masks[0, 4:24, 12] = 1
    target = mask_targets(masks, box(12, 4, 13, 24), ZERO, 28)
    assert target[0, 2:-2].min() > 0.5  # at its edges it is interpolated with the pixels beside
    assert target[0, 14, 14] > 0.95
    wide = mask_targets(masks, box(0, 4, 28, 24), ZERO, 28)[0]
    assert torch.equal(wide[14] > 0.5, torch.arange(28) == 12)


def test_no_objects_no_regions_no_area():
    masks, none = blob(count=2), torch.zeros(0, dtype=torch.int64)
    assert mask_targets(masks, torch.zeros(0, 4), none, 28).shape == (0, 28, 28)
    assert mask_targets(masks[:0], torch.zeros(0, 4), none, 28).shape == (0, 28, 28)
    assert not mask_targets(masks, box(40, 30, 40, 35), ZERO, 7).any()
    assert mask_targets(masks.bool(), box(30, 20, 50, 40), ZERO, 7).any()


# Pasting.


def pasted_by_loop(mask, corners, height, width):
    """Pixel by pixel, from the sentence in the docstring."""
    m, (x1, y1, x2, y2) = len(mask), corners
    cell = lambda i, j: mask[i][j] if 0 <= i < m and 0 <= j < m else 0.0  # noqa: E731
    rows = []
    for y in range(height):
        rows.append([])
        for x in range(width):
            u, v = (x + 0.5 - x1) / (x2 - x1) * m - 0.5, (y + 0.5 - y1) / (y2 - y1) * m - 0.5
            j, i = int(u // 1), int(v // 1)
            a, b = u - j, v - i
            upper = (1 - a) * cell(i, j) + a * cell(i, j + 1)
            lower = (1 - a) * cell(i + 1, j) + a * cell(i + 1, j + 1)
            rows[-1].append((1 - b) * upper + b * lower)
    return torch.tensor(rows)


@pytest.mark.parametrize(
    "corners",
    [
        (3.2, 4.7, 15.1, 12.9),
        (2.0, 3.0, 9.0, 8.0),
        (-6.5, -3.0, 30.0, 40.0),
        (7.4, 2.0, 8.2, 16.0),
        (15.0, 8.0, 26.0, 19.0),
    ],
)
def test_equals_a_loop_over_pixels(corners, generator):
    masks = torch.rand(1, 5, 5, generator=generator)
    ours = paste_masks(masks, box(*corners), (14, 20))
    torch.testing.assert_close(ours[0, 0], pasted_by_loop(masks[0].tolist(), corners, 14, 20), atol=1e-5, rtol=1e-5)


def test_a_full_mask_is_its_box_and_torchvisions_is_larger():
    full, own = torch.ones(1, 28, 28), box(10, 10, 20, 20)
    pasted = paste_masks(full, own, (30, 30), threshold=0.5)[0, 0]
    assert int(pasted.sum()) == 100
    assert pasted[10:20, 10:20].all()
    theirs = paste_masks_in_image(full[:, None], own, (30, 30))[0, 0] > 0.5
    assert int(theirs.sum()) == 144
    assert theirs[9:21, 9:21].all()


@pytest.mark.parametrize("size", [14, 28])
def test_equals_torchvision_in_its_boxes(size, generator):
    masks = torch.rand(60, size, size, generator=generator)
    corners = torch.rand(60, 2, 2, generator=generator) * 140 - 20
    low, high = corners.amin(1).clamp(max=90), corners.amax(1).clamp(min=5)  # theirs fails on boxes outside
    boxes = torch.cat((low, high), dim=1)
    boxes[:5] = boxes[:5].round()
    boxes[5] = torch.tensor([20.0, 30, 20, 30])  # theirs is still a pixel
    theirs = paste_masks_in_image(masks[:, None], boxes, (100, 120))
    ours = paste_masks(masks, whole_pixel_boxes(boxes, size), (100, 120))
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
    cut = paste_masks(masks, whole_pixel_boxes(boxes, size), (100, 120), threshold=0.5)
    assert float((cut != (theirs > 0.5)).float().mean()) < 1e-5


def test_there_and_back_again():
    """A mask, made a target and pasted, is itself; by torchvision's way there and back it has grown and slipped."""
    masks, shift = blob(count=12), torch.linspace(0, 1, 12)[:, None]
    matched = torch.arange(12)
    places = [torch.nonzero(mask) for mask in masks]
    boxes = torch.stack([torch.cat((p.amin(0).flip(0), p.amax(0).flip(0) + 1)) for p in places]).float()
    boxes += shift * torch.tensor([-1.5, -0.5, 0.5, 1.5])
    ours = paste_masks(mask_targets(masks, boxes, matched, 28), boxes, (60, 80), threshold=0.5)[:, 0]
    theirs = paste_masks_in_image(project_masks_on_boxes(masks, boxes, matched, 28)[:, None], boxes, (60, 80))
    iou = {}
    for name, pasted in (("ours", ours), ("theirs", theirs[:, 0] > 0.5)):
        same = (pasted & masks.bool()).flatten(1).sum(1)
        iou[name] = same / (pasted | masks.bool()).flatten(1).sum(1)
    assert iou["ours"].min() > 0.97
    assert iou["theirs"].mean() < iou["ours"].mean() - 0.02


def test_nothing_to_paste_and_nowhere_to_paste_it():
    assert paste_masks(torch.zeros(0, 28, 28), torch.zeros(0, 4), (30, 40)).shape == (0, 1, 30, 40)
    assert paste_masks(torch.zeros(0, 28, 28), torch.zeros(0, 4), (30, 40), 0.5).dtype == torch.bool
    boxes = torch.tensor([[5.0, 5, 5, 9], [5, 9, 9, 9], [-50, -50, -20, -20], [90, 90, 99, 99], [5.6, 3, 6.4, 9]])
    pasted = paste_masks(torch.ones(5, 28, 28), boxes, (30, 40))
    assert not pasted[:4].any()
    assert not (pasted[4] > 0.5).any()  # no pixel has its centre between 5.6 and 6.4


# Memory.


class LargestTensor(TorchDispatchMode):
    """Remembers how many bytes the tensors had that torch made in its realm, largest first."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        given = {a.untyped_storage().data_ptr() for a in args if isinstance(a, torch.Tensor)}
        if isinstance(result, torch.Tensor) and result.untyped_storage().data_ptr() not in given:
            self.bytes = sorted([*getattr(self, "bytes", []), result.numel() * result.element_size()], reverse=True)
        return result


def test_hundreds_of_targets_are_made_window_by_window(generator):
    masks = torch.zeros(100, 1000, 1000, dtype=torch.uint8)
    corners = torch.randint(900, (100, 2), generator=generator)
    own = torch.cat((corners, corners + 60), dim=1)
    for mask, (x1, y1, x2, y2) in zip(masks, own.tolist(), strict=True):
        mask[y1:y2, x1:x2] = 1
    matched = torch.arange(100).repeat(2)
    boxes = own[matched].float() + torch.rand(200, 4, generator=generator) * 8
    with LargestTensor() as made:
        targets = mask_targets(masks, boxes, matched, 14)
    assert targets.flatten(1).amax(1).min() > 0.999
    assert made.bytes[0] <= 200 * 14 * 14 * 4  # the result; no picture of floating point, 4,000,000 bytes


def test_hundreds_of_masks_are_pasted_one_at_a_time(generator):
    masks, boxes = torch.rand(300, 28, 28, generator=generator), random_boxes(generator, 300, 1000.0, 1000.0)
    boxes[0] = torch.tensor([0.0, 0, 1000, 1000])
    with LargestTensor() as made:
        pasted = paste_masks(masks, boxes, (1000, 1000), threshold=0.5)
    assert made.bytes[0] == pasted.numel() == 300 * 1000 * 1000  # a byte a pixel
    assert made.bytes[1] <= 4 * 1000 * 1000  # one picture of floating point; freed before the next


# Bad input.


@pytest.mark.parametrize(
    ("masks", "sentence"),
    [
        (torch.zeros(2, 5, 5), r"masks must be uint8 or bool of shape \(N, H, W\), got torch.float32 \(2, 5, 5\)"),
        (torch.zeros(2, 1, 5, 5, dtype=torch.uint8), r"got torch.uint8 \(2, 1, 5, 5\)"),
        ([[1]], "masks must be uint8 or bool of shape .* got list"),
        (torch.tensor([0, 1, 255], dtype=torch.uint8)[:, None, None], r"masks\[2\] has values up to 255"),
    ],
)
def test_masks_that_are_none(masks, sentence):
    with pytest.raises(ValueError, match=sentence):
        require_masks(masks)
    with pytest.raises(ValueError, match=sentence):
        mask_targets(masks, box(0, 0, 2, 2), ZERO, 7)


def test_masks_that_do_not_fit_image_or_box():
    masks = blob(count=2)
    boxes = torch.tensor([[20.0, 10, 60, 50]] * 2)
    require_masks(masks, boxes, (60, 80))
    require_masks(masks[:0], boxes[:0], (60, 80))
    with pytest.raises(ValueError, match="masks are 60 x 80 pixels, the image is 50 x 70"):
        require_masks(masks, boxes, (50, 70))
    with pytest.raises(ValueError, match=r"masks\[1\] is empty: no pixel belongs to the object"):
        require_masks(masks * torch.tensor([1, 0], dtype=torch.uint8)[:, None, None], boxes)
    with pytest.raises(ValueError, match=r"of the \d+ pixels of masks\[1\] only 0 lie in boxes\[1\]"):
        require_masks(masks, torch.tensor([[20.0, 10, 60, 50], [0, 0, 9, 9]]))
    with pytest.raises(ValueError, match=r"boxes must have shape \(N, 4\) with N = 2, got \(1, 4\)"):
        require_masks(masks, boxes[:1])


def test_arguments_that_do_not_fit_each_other():
    with pytest.raises(ValueError, match=r"matched\[1\] is 2, but there are 2 masks"):
        mask_targets(blob(count=2), torch.zeros(2, 4), torch.tensor([0, 2]), 7)
    with pytest.raises(ValueError, match=r"matched\[0\] is 0, but there are 0 masks"):
        mask_targets(blob(count=2)[:0], torch.zeros(1, 4), ZERO, 7)
    with pytest.raises(ValueError, match=r"boxes must have shape \(R, 4\) with R = 1, got \(2, 4\)"):
        mask_targets(blob(), torch.zeros(2, 4), ZERO, 7)
    with pytest.raises(ValueError, match=r"boxes must have shape \(N, 4\) with N = 1, got \(2, 4\)"):
        paste_masks(torch.zeros(1, 7, 7), torch.zeros(2, 4), (9, 9))
    with pytest.raises(ValueError, match=r"masks must be floating \(N, m, m\), got torch.float32 \(1, 1, 7, 7\)"):
        paste_masks(torch.zeros(1, 1, 7, 7), torch.zeros(1, 4), (9, 9))
