"""Known wrong answers to notebook 04's exercises. The docstring of each is what a learner who makes it is told."""

import torch

# ---- segment ----


def _components(weights, edges, count, k, fits=None, sort=True, keep_int=True, spread=True):
    """Algorithm 1 with what learners change in it; ``fits(weight, Int of both, sizes of both)`` is its test."""
    fits = fits or (lambda w, inner, size: w <= min(inner[0] + k / size[0], inner[1] + k / size[1]))
    component, heaviest = list(range(count)), [0.0] * count
    for edge in weights.argsort(stable=True).tolist() if sort else range(len(weights)):
        p, q = edges[edge].tolist()
        a, b, weight = component[p], component[q], weights[edge].item()
        if a != b and fits(weight, (heaviest[a], heaviest[b]), (component.count(a), component.count(b))):
            joined = [min(a, b) if c in (a, b) else c for c in component]
            component = joined if spread else [a if i == q else c for i, c in enumerate(component)]
            heaviest[min(a, b)] = weight if keep_int else 0.0
    return component


def _segment(*args, **changes):
    component = _components(*args, **changes)
    names = list(dict.fromkeys(component))
    return torch.tensor([names.index(c) for c in component], dtype=torch.int64)


def segment_unsorted(weights, edges, count, k):
    """you take the edges in the order in which they come; visit them from light to heavy."""
    return _segment(weights, edges, count, k, sort=False)


def segment_max(weights, edges, count, k):
    """you let the edge pass if one of the two components allows it; MInt is the smaller of the two limits."""
    return _segment(weights, edges, count, k, lambda w, i, s: w <= max(i[0] + k / s[0], i[1] + k / s[1]))


def segment_one_k(weights, edges, count, k):
    """you add k itself; the slack of a component is k / |C| and shrinks as it grows."""
    return _segment(weights, edges, count, k, lambda w, i, s: w <= min(i) + k)


def segment_strict(weights, edges, count, k):
    """you ask for a weight below MInt; an edge that weighs exactly MInt joins, too."""
    return _segment(weights, edges, count, k, lambda w, i, s: w < min(i[0] + k / s[0], i[1] + k / s[1]))


def segment_forgets_int(weights, edges, count, k):
    """you forget Int: when an edge joins two components, its weight becomes the Int of their union."""
    return _segment(weights, edges, count, k, keep_int=False)


def segment_one_pixel(weights, edges, count, k):
    """only the pixel at the edge's end changes its component; all pixels of its component must move with it."""
    return _segment(weights, edges, count, k, spread=False)


def segment_only_k(weights, edges, count, k):
    """you join wherever the edge weighs at most k; that is a threshold on edges and knows nothing of components."""
    return _segment(weights, edges, count, k, lambda w, i, s: w <= k)


def segment_sum(weights, edges, count, k):
    """you add up the limits of the two components; MInt is the smaller of the two."""
    return _segment(weights, edges, count, k, lambda w, i, s: w <= sum(i) + k / s[0] + k / s[1])


def segment_root_names(weights, edges, count, k):
    """your components are right, but not numbered 0, 1, 2, ... in the order of their first pixels."""
    return torch.tensor(_components(weights, edges, count, k), dtype=torch.int64)


# ---- histogram_intersection ----


def intersection_product(a, b):
    """you multiply bin by bin; the intersection takes the smaller of the two."""
    return (a * b).sum()


def intersection_distance(a, b):
    """you sum up the differences: that says how unlike the histograms are."""
    return (a - b).abs().sum()


def intersection_twice_distance(a, b):
    """you subtract the whole sum of differences from 1; each misplaced share counts in two bins, so halve it."""
    return 1 - (a - b).abs().sum()


def intersection_mean(a, b):
    """you average over the bins; the intersection is their sum."""
    return torch.minimum(a, b).mean()


def intersection_maximum(a, b):
    """you take the larger of the two in each bin; the intersection takes the smaller."""
    return torch.maximum(a, b).sum()


def intersection_shared_bins(a, b):
    """you count bins that both use; add up how much of each they share."""
    return ((a > 0) & (b > 0)).double().mean()


# ---- merge_histograms ----


def merge_mean(histograms, sizes):
    """you take the plain mean; a region of 1,000 pixels must count 1,000 times as much as one of a single pixel."""
    return histograms.mean(dim=0)


def merge_sum(histograms, sizes):
    """you add the histograms up; the result must have the sum 1 again."""
    return histograms.sum(dim=0)


def merge_swapped(histograms, sizes):
    """each histogram is weighted by the size of another region."""
    return (histograms * sizes.flip(0)[:, None]).sum(dim=0) / sizes.sum()


def merge_unnormalised(histograms, sizes):
    """you forget to divide by the number of pixels of all regions."""
    return (histograms * sizes[:, None]).sum(dim=0)


def merge_by_count(histograms, sizes):
    """you divide by the number of regions; divide by the number of their pixels."""
    return (histograms * sizes[:, None]).sum(dim=0) / len(sizes)


def merge_larger_wins(histograms, sizes):
    """you keep the histogram of the largest region; the others belong to the union, too."""
    return histograms[sizes.argmax()]


def merge_by_largest(histograms, sizes):
    """you divide by the largest size; divide by the sum of the sizes."""
    return (histograms * sizes[:, None]).sum(dim=0) / sizes.max()


# ---- fill_similarity ----


def _fill(boxes, sizes, image_size, extra=0):
    width, height = (boxes[:, 2:].amax(0) - boxes[:, :2].amin(0) + extra).tolist()
    holes = width * height - sizes.sum().item()
    return holes / (image_size[0] * image_size[1])


def _areas(boxes):
    return (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)


def fill_sum_of_boxes(boxes, sizes, image_size):
    """you add up the areas of the two boxes; what counts is the one box round both."""
    return 1 - (_areas(boxes).sum() - sizes.sum()).item() / (image_size[0] * image_size[1])


def fill_common_box(boxes, sizes, image_size):
    """you take what the two boxes share; what counts is the box round both: smallest x1, largest x2."""
    sides = (boxes[:, 2:].amin(0) - boxes[:, :2].amax(0)).clamp(min=0)
    return 1 - (sides.prod() - sizes.sum()).item() / (image_size[0] * image_size[1])


def fill_without_sizes(boxes, sizes, image_size):
    """you forget to subtract the regions themselves: what the box has beyond them is what is not filled."""
    return 1 - _fill(boxes, 0 * sizes, image_size)


def fill_share_of_box(boxes, sizes, image_size):
    """you divide by the box round both; the paper divides by the whole picture, as for the size."""
    box = (boxes[:, 2:].amax(0) - boxes[:, :2].amin(0)).prod()
    return (sizes.sum() / box).item()


def fill_plus_one(boxes, sizes, image_size):
    """your widths and heights have a +1: the box from x1 to x2 is x2 - x1 wide."""
    return 1 - _fill(boxes, sizes, image_size, extra=1)


def fill_holes(boxes, sizes, image_size):
    """you give the share of holes; the similarity is 1 minus that."""
    return _fill(boxes, sizes, image_size)


def fill_size_instead(boxes, sizes, image_size):
    """that is the size similarity, equation 4: the boxes do not matter in it."""
    return 1 - sizes.sum().item() / (image_size[0] * image_size[1])


def fill_of_both_boxes(boxes, sizes, image_size):
    """you subtract the areas of the boxes; a region has fewer pixels than its box: subtract `sizes`."""
    return 1 - _fill(boxes, _areas(boxes), image_size)


# ---- rank_boxes ----


def _first_of_each(boxes, order):
    chosen, seen = [], set()
    for n in order.tolist():
        if tuple(boxes[n].tolist()) not in seen:
            chosen.append(n)
            seen.add(tuple(boxes[n].tolist()))
    return boxes[chosen]


def rank_without_chance(boxes, positions, draws):
    """you sort by the position alone; multiply it by the random number."""
    return _first_of_each(boxes, positions.argsort(stable=True))


def rank_by_chance(boxes, positions, draws):
    """you sort by the random number alone; multiply it by the position."""
    return _first_of_each(boxes, draws.argsort(stable=True))


def rank_worst_first(boxes, positions, draws):
    """you sort from large to small; the smallest product comes first."""
    return _first_of_each(boxes, (positions * draws).argsort(descending=True, stable=True))


def rank_keeps_copies(boxes, positions, draws):
    """the order is right, but equal boxes stay in the list; only the first of them counts."""
    return boxes[(positions * draws).argsort(stable=True)]


def rank_sorted_by_unique(boxes, positions, draws):
    """`unique` has sorted the boxes by their coordinates, and the ranking is lost."""
    return boxes[(positions * draws).argsort(stable=True)].unique(dim=0)


def rank_last_copy(boxes, positions, draws):
    """of equal boxes you keep the worst-placed one; keep the first."""
    order = (positions * draws).argsort(stable=True)
    return _first_of_each(boxes, order.flip(0)).flip(0)


def rank_sum(boxes, positions, draws):
    """you add position and random number; multiply them. A sum never lets a region pass the one before it."""
    return _first_of_each(boxes, (positions + draws).argsort(stable=True))


def rank_indices(boxes, positions, draws):
    """you return the order; the boxes in that order are asked for."""
    return (positions * draws).argsort(stable=True)
