"""Wrong and right answers to notebook 04's exercises, written as learners write them.

A mutant is (exercise, mistake, function, words that the message must have); a right answer (exercise, style, function).
"""

import numpy as np
import torch

# ---- segment ----


def _segmenter(limit=lambda inner, k, n: inner + k / n, choose=min, order=sorted, fits=lambda w, m: w <= m, later=None):
    """Algorithm 1 with a list of sets, with what learners change in it."""

    def answer(weights, edges, count, k):
        sets, inner = [{p} for p in range(count)], [0.0] * count
        ends = [(w, *e) for w, e in zip(weights.tolist(), edges.tolist(), strict=True)]
        for w, p, q in order(ends, key=lambda row: row[0]):
            a = next(i for i, s in enumerate(sets) if p in s)
            b = next(i for i, s in enumerate(sets) if q in s)
            if a != b and fits(w, choose(limit(inner[i], k, len(sets[i])) for i in (a, b))):
                sets[a] |= sets[b]
                inner[a] = later(inner[a], inner[b]) if later else w
                del sets[b], inner[b]
        sets.sort(key=min)
        return [next(i for i, s in enumerate(sets) if p in s) for p in range(count)]

    return answer


def _segment_union_find(weights, edges, count, k):
    parent, size, inner = np.arange(count), np.ones(count, int), np.zeros(count)

    def find(p):
        while parent[p] != p:
            p = parent[p]
        return p

    for e in np.argsort(weights.numpy(), kind="stable"):
        a, b, w = find(edges[e, 0].item()), find(edges[e, 1].item()), weights[e].item()
        if a != b and w <= min(inner[a] + k / size[a], inner[b] + k / size[b]):
            parent[b] = a
            size[a] += size[b]
            inner[a] = w
    roots = np.array([find(p) for p in range(count)])
    _, first, labels = np.unique(roots, return_index=True, return_inverse=True)
    return first.argsort().argsort()[labels]


def _segment_one_size(weights, edges, count, k):
    """The union's size is forgotten: every component counts as one pixel."""
    return _segmenter(limit=lambda inner, k, n: inner + k)(weights, edges, count, k)


def _segment_float(weights, edges, count, k):
    return torch.tensor(_segmenter()(weights, edges, count, k)).float()


def _segment_names(weights, edges, count, k):
    labels = list(range(count))
    inner = [0.0] * count
    for e in weights.argsort(stable=True).tolist():
        a, b = (labels[p] for p in edges[e].tolist())
        w = weights[e].item()
        if a != b and w <= min(inner[a] + k / labels.count(a), inner[b] + k / labels.count(b)):
            labels = [a if c == b else c for c in labels]
            inner[a] = w
    return labels


SEGMENT = [
    ("in the order given", _segmenter(order=lambda rows, key: rows), "from light to heavy"),
    ("heavy first", _segmenter(order=lambda rows, key: sorted(rows, key=key)[::-1]), "is right"),
    ("max for min", _segmenter(choose=max), "MInt is the smaller"),
    ("k for k / |C|", _segment_one_size, "shrinks as it grows"),
    ("strictly below", _segmenter(fits=lambda w, m: w < m), "exactly MInt joins"),
    ("Int stays 0", _segmenter(later=lambda a, b: 0.0), "forget Int"),
    ("Int of the heavier part", _segmenter(later=max), "forget Int"),
    ("times |C|", _segmenter(limit=lambda inner, k, n: inner + k * n), "is right"),
    ("limits added up", _segmenter(choose=sum), "add up the limits"),
    ("named by roots", _segment_names, "not numbered"),
    ("floats", _segment_float, "must be integers"),
]

# ---- histogram_intersection ----

INTERSECTION = [
    ("dot product", lambda a, b: (a @ b).item(), "multiply bin by bin"),
    ("cosine", lambda a, b: float(a @ b / (a.norm() * b.norm())), "is right"),
    ("distance", lambda a, b: float((a - b).abs().sum()), "how unlike"),
    ("not halved", lambda a, b: 1 - np.abs(a.numpy() - b.numpy()).sum(), "halve it"),
    ("mean", lambda a, b: np.minimum(a.numpy(), b.numpy()).mean(), "average over the bins"),
    ("maximum", lambda a, b: sum(max(x, y) for x, y in zip(a.tolist(), b.tolist(), strict=True)), "larger of the two"),
    ("bins in common", lambda a, b: ((a > 0) & (b > 0)).float().mean(), "count bins"),
    ("no sum", lambda a, b: torch.minimum(a, b), "shape"),
    ("squared distance", lambda a, b: 1 - ((a - b) ** 2).sum().item(), "is right"),
]

# ---- merge_histograms ----


def _merge_loop(histograms, sizes):
    result = [0.0] * histograms.shape[1]
    for row, size in zip(histograms.tolist(), sizes.tolist(), strict=True):
        for k, share in enumerate(row):
            result[k] += share * size / sum(sizes.tolist())
    return result


def _merge_two_by_two(histograms, sizes):
    """Right for two regions; for more the sizes are forgotten after the first union."""
    merged = histograms[0]
    for row, size in zip(histograms[1:], sizes[1:], strict=True):
        merged = (merged * sizes[0] + row * size) / (sizes[0] + size)
    return merged


def _merge_in_place(histograms, sizes):
    histograms *= sizes[:, None]
    return histograms.sum(0) / sizes.sum()


MERGE = [
    ("mean", lambda h, s: h.mean(0), "plain mean"),
    ("sum", lambda h, s: h.sum(0), "sum 1 again"),
    ("sizes swapped", lambda h, s: s.flip(0).float() @ h / s.sum(), "size of another region"),
    ("not divided", lambda h, s: s.float() @ h, "forget to divide"),
    ("divided by the count", lambda h, s: (h * s[:, None]).mean(0), "number of regions"),
    ("largest wins", lambda h, s: h[s.argmax()], "keep the histogram"),
    ("two by two", _merge_two_by_two, "is right"),
    ("in place", _merge_in_place, "changes its argument"),
    ("renormalised mean", lambda h, s: h.sum(0) / h.sum(), "plain mean"),
]

# ---- fill_similarity ----


def _filler(low=min, high=max, extra=0, minus="sizes", over="image"):
    """1 - holes / picture in plain numbers, with what learners change in it."""

    def answer(boxes, sizes, image_size):
        (x1, y1, x2, y2), (u1, v1, u2, v2) = boxes.tolist()
        width, height = high(x2, u2) - low(x1, u1) + extra, high(y2, v2) - low(y1, v1) + extra
        filled = {"sizes": sum(sizes.tolist()), "boxes": (x2 - x1) * (y2 - y1) + (u2 - u1) * (v2 - v1), "0": 0}[minus]
        return 1 - (width * height - filled) / (image_size[0] * image_size[1] if over == "image" else width * height)

    return answer


def _fill_torch(boxes, sizes, image_size):
    sides = boxes[:, 2:].amax(dim=0) - boxes[:, :2].amin(dim=0)
    return 1 - (sides.prod() - sizes.sum()) / np.prod(image_size)


FILL = [
    ("shared box", _filler(low=max, high=min), "is right"),
    ("plus one", _filler(extra=1), "+1"),
    ("boxes for regions", _filler(minus="boxes"), "fewer pixels than its box"),
    ("nothing subtracted", _filler(minus="0"), "subtract the regions themselves"),
    ("share of the box", _filler(over="box"), "divide by the box"),
    ("holes", lambda b, s, i: 1 - _filler()(b, s, i), "share of holes"),
    ("size similarity", lambda b, s, i: 1 - s.sum() / (i[0] * i[1]), "equation 4"),
    ("only the first box", lambda b, s, i: _filler()(b[[0, 0]], s, i), "is right"),
    ("whole numbers", lambda b, s, i: int(_filler()(b, s, i)), "is right"),
]

# ---- rank_boxes ----


def _rank_loop(boxes, positions, draws):
    scored = sorted(zip((positions * draws).tolist(), boxes.tolist(), strict=True), key=lambda row: row[0])
    ranked = []
    for _, box in scored:
        if box not in ranked:
            ranked.append(box)
    return torch.tensor(ranked).reshape(-1, 4)


def _rank_numpy(boxes, positions, draws):
    rows = boxes.numpy()[np.argsort((positions * draws).numpy())]
    _, first = np.unique(rows, axis=0, return_index=True)
    return rows[np.sort(first)]


def _ranker(key, descending=False):
    def answer(boxes, positions, draws):
        order = key(positions, draws).argsort(descending=descending, stable=True)
        return _rank_numpy(boxes[order], torch.ones(len(boxes)), torch.arange(len(boxes)))

    return answer


def _rank_unique_first(boxes, positions, draws):
    """Copies are dropped before the sorting: the first in the list counts, not the best-placed."""
    _, first = np.unique(boxes.numpy(), axis=0, return_index=True)
    return _rank_numpy(boxes[first], positions[first], draws[first])


RANK = [
    ("no chance", _ranker(lambda p, d: p), "position alone"),
    ("chance only", _ranker(lambda p, d: d), "random number alone"),
    ("worst first", _ranker(lambda p, d: p * d, descending=True), "large to small"),
    ("copies kept", lambda b, p, d: b[(p * d).argsort()], "equal boxes stay"),
    ("unique sorts", lambda b, p, d: np.unique(b.numpy()[np.argsort((p * d).numpy())], axis=0), "ranking is lost"),
    ("sum", _ranker(lambda p, d: p + d), "you add"),
    ("first copy in the list", _rank_unique_first, "is right"),
    ("order", lambda b, p, d: np.argsort((p * d).numpy()), "you return the order"),
    ("quotient", _ranker(lambda p, d: d / p), "is right"),
]

TABLES = {
    "segment": SEGMENT,
    "histogram_intersection": INTERSECTION,
    "merge_histograms": MERGE,
    "fill_similarity": FILL,
    "rank_boxes": RANK,
}
MUTANTS = [(exercise, *row) for exercise, rows in TABLES.items() for row in rows]


def _endless_segment(weights, edges, count, k):
    parent = list(range(count))
    while True:
        for p, q in edges.tolist():
            parent[q] = parent[p]


ENDLESS = [("segment", "no stop", _endless_segment, "does not come to an end")]

RIGHT = [
    ("segment", "sets", _segmenter()),
    ("segment", "union-find, numpy", _segment_union_find),
    ("histogram_intersection", "torch", lambda a, b: torch.minimum(a, b).sum()),
    (
        "histogram_intersection",
        "loop",
        lambda a, b: sum(x if x < y else y for x, y in zip(a.tolist(), b.tolist(), strict=True)),
    ),
    ("histogram_intersection", "by the distance", lambda a, b: 1 - (a - b).abs().sum() / 2),
    ("merge_histograms", "loop", _merge_loop),
    ("merge_histograms", "matrix product", lambda h, s: s.float() @ h / s.sum()),
    ("merge_histograms", "numpy", lambda h, s: np.average(h.numpy(), axis=0, weights=s.numpy())),
    ("fill_similarity", "plain numbers", _filler()),
    ("fill_similarity", "torch", _fill_torch),
    ("rank_boxes", "loop", _rank_loop),
    ("rank_boxes", "numpy", _rank_numpy),
]
