"""The mistakes of notebook 04: each leaves a selective search that runs, and finds fewer objects.

Importing this module adds them to `rcnn_lite.checks.mistakes`: ``with mistake("size_forgotten"): ...`` switches one on.
"""

import numpy as np

from rcnn_lite.checks.mistakes import MISTAKES, Mistake, mistake, mistakes
from rcnn_lite.images import as_rgb
from rcnn_lite.proposals.grouping import Hierarchy, _similarity, group_regions
from rcnn_lite.proposals.region_features import Regions, describe_regions
from rcnn_lite.proposals.selective_search import rank_boxes

__all__ = ["mistake", "mistakes"]


def group_without_size(segments, pairs, weights, image_size) -> Hierarchy:
    """a_3 is 0 whatever the mode says: nothing keeps a large region from swallowing its neighbours one by one."""
    return group_regions(segments, pairs, (*weights[:2], 0, weights[3]), image_size)


def group_by_plain_means(segments, pairs, weights, image_size) -> Hierarchy:
    """Algorithm 1 in plain Python, but a union's histograms are (C_a + C_b) / 2, whatever the sizes."""
    rows = Regions(*(np.concatenate((part, np.zeros_like(part))) for part in segments))  # with room for the unions
    weights, area, merges, similarities = np.asarray(weights, np.float64), image_size[0] * image_size[1], [], []
    alive = {(a, b): _similarity(rows, a, b, weights, area) for a, b in pairs.tolist()}
    while alive:
        a, b = max(alive, key=alive.get)
        t = len(segments.size) + len(merges)
        merges.append((a, b))
        similarities.append(alive[a, b])
        rows.size[t] = rows.size[a] + rows.size[b]
        rows.box[t] = *np.minimum(rows.box[a, :2], rows.box[b, :2]), *np.maximum(rows.box[a, 2:], rows.box[b, 2:])
        for histogram in (rows.colour, rows.texture):
            histogram[t] = (histogram[a] + histogram[b]) / 2
        touching = {p for pair in alive if a in pair or b in pair for p in pair} - {a, b}
        alive = {pair: value for pair, value in alive.items() if a not in pair and b not in pair}
        alive |= {(p, t): _similarity(rows, p, t, weights, area) for p in sorted(touching)}
    count, made = len(segments.size) + len(merges), np.array(merges, dtype=np.int64).reshape(-1, 2)
    return Hierarchy(Regions(*(part[:count] for part in rows)), made, np.array(similarities))


def describe_to_last_pixel(labels, image, codes=None) -> Regions:
    """x2 and y2 are the last pixel's number, not its far edge: every box is a pixel too narrow and too low."""
    regions = describe_regions(labels, image, codes)
    return regions._replace(box=regions.box - np.array([0, 0, 1, 1]))


class _Draws:
    """A generator whose random numbers all are 1."""

    def random(self, count):
        return np.ones(count)


def rank_without_chance(hierarchies, rng=None) -> np.ndarray:
    """By position alone: all large regions of all hierarchies come before any small one."""
    return rank_boxes(hierarchies, _Draws())


def rank_small_first(hierarchies, rng=None) -> np.ndarray:
    """Position 1 is the first segment, not the whole picture."""
    return rank_boxes([found._replace(regions=_reversed(found.regions)) for found in hierarchies], rng)


def _reversed(regions: Regions) -> Regions:
    return Regions(*(part[::-1] for part in regions))


def group_for_nothing(segments, pairs, weights, image_size) -> Hierarchy:
    """Only the segments become boxes: the hierarchy is built and thrown away."""
    found = group_regions(segments, pairs, weights, image_size)
    whole = [*range(len(segments.size)), -1]
    return found._replace(regions=Regions(*(part[whole] for part in found.regions)))


def blue_for_red(image) -> np.ndarray:
    """The channels come in OpenCV's order, B G R, and nobody turns them round."""
    return np.ascontiguousarray(as_rgb(image)[:, :, ::-1])


_GROUP, _RANK = "proposals.grouping.group_regions", "proposals.selective_search.rank_boxes"
_TABLE = (
    Mistake("size_forgotten", "The similarities are summed up without that of size.", {_GROUP: group_without_size}),
    Mistake(
        "histograms_unweighted",
        "The histograms of a union are the plain mean of its parts', whatever their sizes.",
        {_GROUP: group_by_plain_means},
    ),
    Mistake(
        "segments_only",
        "The boxes are those of the first segments; the regions that were merged from them are thrown away.",
        {_GROUP: group_for_nothing},
    ),
    Mistake(
        "last_pixel_for_edge",
        "A box ends at its last pixel's number instead of at that pixel's far edge.",
        {"proposals.region_features.describe_regions": describe_to_last_pixel},
    ),
    Mistake(
        "ranked_without_chance",
        "Boxes are ranked by position alone, large before small.",
        {_RANK: rank_without_chance},
    ),
    Mistake(
        "ranked_small_first",
        "Positions are counted from the first segment, so small boxes come first.",
        {_RANK: rank_small_first},
    ),
    Mistake(
        "blue_for_red",
        "The picture's channels are read as B G R and taken for R G B.",
        {"images.as_rgb": blue_for_red},
    ),
)
MISTAKES.update({each.name: each for each in _TABLE})
