"""Checks of notebook 04's exercises: segmentation, similarities, ranking. Known mistakes are in `wrong_searching`."""

import numpy as np
import torch
from torch import Tensor

from rcnn_lite.checks import wrong_searching as wrong
from rcnn_lite.checks.harness import Case, Exercise, known
from rcnn_lite.checks.pictures import Outline, Picture, Row
from rcnn_lite.plotting import DETECTION, GROUND_TRUTH, PROPOSAL
from rcnn_lite.proposals.grouping import fill_similarity
from rcnn_lite.proposals.region_features import Region


def _numbers(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)


def _rows(*rows: tuple) -> Tensor:
    return torch.tensor(rows)


# ---- exercise 1 ----


def _segment(weights: Tensor, edges: Tensor, count: int, k: float) -> Tensor:
    """Algorithm 1 of Felzenszwalb and Huttenlocher on any graph: a component is a set, named by its first pixel."""
    component, heaviest = {p: {p} for p in range(count)}, dict.fromkeys(range(count), 0.0)
    for edge in weights.argsort(stable=True).tolist():
        a, b = (component[p] for p in edges[edge].tolist())
        weight = weights[edge].item()
        if a is not b and all(weight <= heaviest[min(c)] + k / len(c) for c in (a, b)):
            both = a | b
            component |= dict.fromkeys(both, both)
            heaviest[min(both)] = weight
    first = sorted({min(members) for members in component.values()})
    return torch.tensor([first.index(min(component[p])) for p in range(count)], dtype=torch.int64)


def _random_graph(rng: np.random.Generator, size: int) -> tuple:
    """A connected graph of size + 1 pixels. Weights are whole and k is a half: no test hinges on rounding."""
    chain = np.stack((np.arange(size), np.arange(1, size + 1)), axis=1)
    edges = np.vstack((chain, rng.integers(0, size + 1, (size, 2))))
    edges = rng.permutation(edges[edges[:, 0] != edges[:, 1]])
    weights = torch.from_numpy(rng.integers(0, 10, len(edges))).float()
    return weights, torch.from_numpy(edges), size + 1, int(rng.integers(0, 12)) + 0.5


_LINE = _rows((0, 1), (1, 2), (2, 3))
check_segment = Exercise(
    name="segment",
    cases=(
        Case((_numbers(5), _rows((0, 1)), 2, 5.0), [0, 0], "5 <= 0 + 5 / 1 on both sides: they join"),
        Case((_numbers(5), _rows((0, 1)), 2, 4.0), [0, 1], "5 > 0 + 4 / 1: they stay apart"),
        Case((_numbers(0), _rows((0, 1)), 2, 0.0), [0, 0], "0 <= 0: equal pixels join even without any slack"),
        Case((_numbers(0, 0, 4), _LINE, 4, 9.0), [0, 0, 0, 1], "pixel 3 has slack 9, but {0, 1, 2} only 0 + 9 / 3 = 3"),
        Case((_numbers(0, 0, 3), _LINE, 4, 9.0), [0, 0, 0, 0], "3 <= 0 + 9 / 3: just enough"),
        Case((_numbers(2, 2, 4), _LINE, 4, 6.0), [0, 0, 0, 0], "{0, 1, 2} has Int 2, hence 2 + 6 / 3 = 4"),
        Case((_numbers(4, 0, 0), _LINE, 4, 9.0), [0, 1, 1, 1], "edges come unsorted: {1, 2, 3} first, then 4 > 3"),
        Case((_numbers(1, 7, 1), _LINE, 4, 8.0), [0, 0, 1, 1], "two pairs with 1 + 8 / 2 = 5 each, and 7 > 5"),
        Case((_numbers(2, 4, 2), _LINE, 4, 3.0), [0, 0, 1, 1], "two pairs with 2 + 3 / 2 = 3.5 each, and 4 > 3.5"),
        Case((_numbers(0), _rows((1, 2)), 3, 1.0), [0, 1, 1], "no edge touches pixel 0"),
        Case((torch.zeros(0), torch.zeros(0, 2, dtype=torch.int64), 2, 1.0), [0, 1], "no edges at all"),
    ),
    reference=_segment,
    known=known(  # fmt: skip
        wrong.segment_unsorted, wrong.segment_max, wrong.segment_one_k, wrong.segment_strict,
        wrong.segment_forgets_int, wrong.segment_one_pixel, wrong.segment_only_k, wrong.segment_sum,
        wrong.segment_root_names,
    ),
    draw=_random_graph,
    together=((0, 1),),
)


# ---- exercise 2 ----


def _histogram_intersection(a: Tensor, b: Tensor) -> float:
    return float(torch.minimum(a, b).sum())


def _histograms(rng: np.random.Generator, rows: int, bins: int) -> Tensor:
    """(rows, bins) in sixteenths, each with sum 1."""
    return torch.from_numpy(rng.multinomial(16, np.full(bins, 1 / bins), size=rows) / 16).float()


check_histogram_intersection = Exercise(
    name="histogram_intersection",
    cases=(
        Case((_numbers(1, 0), _numbers(0, 1)), 0.0, "no bin in common"),
        Case((_numbers(0.25, 0.75), _numbers(0.25, 0.75)), 1.0, "equal histograms: 0.25 + 0.75"),
        Case((_numbers(0.5, 0.3, 0.2), _numbers(0.25, 0.5, 0.25)), 0.75, "0.25 + 0.3 + 0.2"),
        Case((_numbers(0.5, 0.5, 0, 0), _numbers(0, 0.5, 0.25, 0.25)), 0.5, "only the second bin is in both"),
    ),
    reference=_histogram_intersection,
    known=known(  # fmt: skip
        wrong.intersection_product, wrong.intersection_distance, wrong.intersection_twice_distance,
        wrong.intersection_mean, wrong.intersection_maximum, wrong.intersection_shared_bins,
    ),
    draw=lambda rng, size: tuple(_histograms(rng, 2, size + 1)),
)


# ---- exercise 3 ----


def _merge_histograms(histograms: Tensor, sizes: Tensor) -> Tensor:
    return (histograms * sizes[:, None]).sum(dim=0) / sizes.sum()


check_merge_histograms = Exercise(
    name="merge_histograms",
    cases=(
        Case((_rows((0.0, 1.0)), torch.tensor([7])), [0.0, 1.0], "one region stays what it is"),
        Case((_rows((1.0, 0.0), (0.0, 1.0)), torch.tensor([3, 1])), [0.75, 0.25], "(3 * 1 + 1 * 0) / 4 and 1 / 4"),
        Case((_rows((0.5, 0.5), (0.5, 0.5)), torch.tensor([2, 9])), [0.5, 0.5], "equal histograms stay as they are"),
        Case(
            (_rows((1.0, 0.0, 0.0), (0.0, 0.5, 0.5), (0.0, 1.0, 0.0)), torch.tensor([1, 2, 5])),
            [1 / 8, 6 / 8, 1 / 8],
            "three at once: 1, 2 / 2 + 5 and 2 / 2, over 8",
        ),
    ),
    reference=_merge_histograms,
    known=known(  # fmt: skip
        wrong.merge_mean, wrong.merge_sum, wrong.merge_swapped, wrong.merge_unnormalised, wrong.merge_by_count,
        wrong.merge_larger_wins, wrong.merge_by_largest,
    ),
    draw=lambda rng, size: (_histograms(rng, min(size, 5), 3), torch.from_numpy(rng.integers(1, 40, min(size, 5)))),
)


# ---- exercise 4 ----


def _fill(boxes: Tensor, sizes: Tensor, image_size: tuple[int, int]) -> float:
    a, b = (Region(int(size), box.numpy(), np.zeros(0), np.zeros(0)) for size, box in zip(sizes, boxes, strict=True))
    return fill_similarity(a, b, image_size)


def _two_regions(rng: np.random.Generator, size: int) -> tuple:
    """Two boxes in a picture of 4 to 12 pixels each way, and how many pixels of each belong to its region."""
    height, width = (int(side) for side in rng.integers(4, 13, 2))
    corner = np.stack([rng.integers(0, (width - 1, height - 1)) for _ in range(2)])
    sides = np.stack([rng.integers(1, np.array([width, height]) - low + 1) for low in corner])
    sizes = [int(rng.integers(max(w, h), w * h + 1)) for w, h in sides]
    return torch.from_numpy(np.hstack((corner, corner + sides))), torch.tensor(sizes), (height, width)


def _fill_picture(case: Case, result: object) -> Picture:
    height, width = case.args[2]
    frame = Outline("the picture", torch.tensor([[0.0, 0.0, width, height]]), PROPOSAL)
    return Picture((frame, Outline("the two boxes", case.args[0].float(), DETECTION)))


check_fill_similarity = Exercise(
    name="fill_similarity",
    cases=(
        Case(
            (_rows((0, 0, 2, 2), (2, 0, 4, 2)), torch.tensor([4, 4]), (2, 4)),
            1.0,
            "side by side, no hole: the box round both has 4 x 2 = 8 pixels, 4 + 4 are filled",
        ),
        Case(
            (_rows((0, 0, 2, 2), (3, 0, 6, 1)), torch.tensor([4, 3]), (5, 10)),
            0.9,
            "the box round both has 6 x 2 = 12 pixels, 4 + 3 are filled: 1 - 5 / 50",
        ),
        Case(
            (_rows((0, 0, 4, 4), (1, 1, 3, 3)), torch.tensor([12, 4]), (4, 4)),
            1.0,
            "a ring and what it encloses: 16 - 12 - 4 = 0 holes",
        ),
        Case(
            (_rows((0, 0, 1, 1), (3, 3, 4, 4)), torch.tensor([1, 1]), (4, 4)),
            1 - 14 / 16,
            "two opposite corners: 14 of 16 pixels are holes",
        ),
    ),
    reference=_fill,
    known=known(  # fmt: skip
        wrong.fill_sum_of_boxes, wrong.fill_common_box, wrong.fill_without_sizes, wrong.fill_share_of_box,
        wrong.fill_plus_one, wrong.fill_holes, wrong.fill_size_instead, wrong.fill_of_both_boxes,
    ),
    draw=_two_regions,
    picture=_fill_picture,
)


# ---- exercise 5 ----


def _rank(boxes: Tensor, positions: Tensor, draws: Tensor) -> Tensor:
    seen, ranked = set(), []
    for n in (positions * draws).argsort(stable=True).tolist():
        box = tuple(boxes[n].tolist())
        if box not in seen:
            ranked.append(n)
            seen.add(box)
    return boxes[ranked]


def _random_ranking(rng: np.random.Generator, size: int) -> tuple:
    """Boxes of few kinds, so that some are equal; positions; draws such that no two products are equal."""
    kinds = _rows((0, 0, 9, 9), (0, 0, 4, 9), (5, 0, 9, 9), (0, 3, 9, 9))
    positions = torch.from_numpy(rng.integers(1, size + 1, size))
    while True:
        draws = torch.from_numpy(rng.integers(1, 1000, size) / 1000).float()
        if len((positions * draws * 1000).round().unique()) == size:
            return kinds[rng.integers(0, 4, size)], positions, draws


def _order_picture(case: Case, result: object) -> Row:
    two = ((case.expected, "right order", GROUND_TRUTH), (result, "your order", DETECTION))
    return Row([Picture([Outline(what, rows, color, names="0123456789")]) for rows, what, color in two])


_A, _B, _C, _NONE = (0, 0, 1, 1), (1, 0, 2, 1), (0, 0, 2, 1), torch.zeros(0, 4, dtype=torch.int64)
check_rank_boxes = Exercise(
    name="rank_boxes",
    cases=(
        Case((_rows(_A), torch.tensor([1]), _numbers(0.5)), _rows(_A), "one box"),
        Case(
            (_rows(_A, _B, _C), torch.tensor([1, 3, 2]), _numbers(0.4, 0.3, 0.1)),
            _rows(_C, _A, _B),
            "1 * 0.4, 3 * 0.3 and 2 * 0.1",
        ),
        Case(
            (_rows(_B, _B, _A), torch.tensor([1, 2, 3]), _numbers(0.9, 0.1, 0.2)),
            _rows(_B, _A),
            "0.9, 0.2 and 0.6: box B counts once, at 0.2",
        ),
        Case(
            (_rows(_A, _B, _C, _C), torch.tensor([3, 2, 1, 1]), _numbers(0.1, 0.5, 0.9, 0.2)),
            _rows(_C, _A, _B),
            "0.3, 1.0, 0.9 and 0.2",
        ),
        Case((_NONE, torch.zeros(0, dtype=torch.int64), torch.zeros(0)), _NONE, "no boxes"),
    ),
    reference=_rank,
    known=known(  # fmt: skip
        wrong.rank_without_chance, wrong.rank_by_chance, wrong.rank_worst_first, wrong.rank_keeps_copies,
        wrong.rank_sorted_by_unique, wrong.rank_last_copy, wrong.rank_sum, wrong.rank_indices,
    ),
    draw=_random_ranking,
    together=((0, 1, 2),),
    picture=_order_picture,
)
