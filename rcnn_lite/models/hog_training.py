"""Training the templates of a `HOGDetector`: crops of the objects against the windows that fool it (notebook 03).

Dalal and Triggs 2005, section 4: fit on the objects and on random windows, search all pictures for false alarms, fit
again with those added. The SVMs are those of R-CNN (`heads.svm`). But each class's template has a size and so features
of its own, and there are thousands of windows a picture and class: so classes are fitted one by one, windows are scored
by correlation, and only those that are kept have their features taken out of the map. One picture is in memory at a
time.

Notation: K classes with background, D = 36 (a - 1) (b - 1) features of a class.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from rcnn_lite.boxes import box_iou
from rcnn_lite.heads.svm import Negatives, SVMSettings, fit_svms
from rcnn_lite.models.hog_detector import HOGDetector, HOGSettings
from rcnn_lite.proposals.sliding_window import settle
from rcnn_lite.regions.hog import CHANNELS, hog_blocks

PICTURE = 1 << 32
"""Window j of picture i is number i PICTURE + j: the identity of a negative over all rounds."""


TEST_TIME = HOGSettings()


@dataclass(frozen=True)
class HOGTraining:
    """The numbers of the training."""

    root_cells: int = 36  # area of a template; section 6.4: 8 x 16 cells for pedestrians
    svm: SVMSettings = field(
        default_factory=lambda: SVMSettings(C=0.01, positive_weight=1.0, max_new=1000, max_rounds=2)
    )  # section 6.6: C = 0.01; section 4: hard examples, one round
    max_per_image: int = 20  # hard negatives of a class from one picture, so that no picture has all of them
    seed: int = 0


def template_shapes(targets: list[dict], num_classes: int, root_cells: int) -> Tensor:
    """Cells (rows, columns) of a template of each class: (K, 2) int64, at least 2 x 2.

    The median of h / w over the objects of the class is its aspect ratio; a x b is about ``root_cells``. A class
    without objects gets a square.
    """
    shapes = torch.full((num_classes, 2), round(root_cells**0.5))
    for label in range(1, num_classes):
        boxes = torch.cat([t["boxes"][t["labels"] == label] for t in targets] or [torch.zeros(0, 4)])
        if len(boxes):
            width, height = (boxes[:, 2:] - boxes[:, :2]).T
            root = float((height / width).median()) ** 0.5
            shapes[label] = torch.tensor([round(root_cells**0.5 * root), round(root_cells**0.5 / root)])
    return shapes.clamp(min=2)


def window_on(box: Tensor, shape: tuple[int, int]) -> Tensor:
    """The window with the aspect ratio of a template that has a box's centre and area: (4,) -> (4,)."""
    width, height = (box[2:] - box[:2]).tolist()
    scale = (width * height / (shape[0] * shape[1])) ** 0.5
    half = torch.tensor([shape[1], shape[0]]) * scale / 2
    centre = (box[:2] + box[2:]) / 2
    return torch.cat((centre - half, centre + half))


def hog_of_box(image: Tensor, box: Tensor, shape: tuple[int, int], cell: int) -> Tensor:
    """Blocks of one box, stretched to a template's a x b cells: (3, H, W), (4,) -> float32 (36, a - 1, b - 1).

    A cell's width around the box is cut out with it, so that the gradients at its border see their neighbours, and
    dropped again. Beyond the picture its outermost pixels go on. The box is rounded to whole pixels.
    """
    (rows, columns), (x1, y1, x2, y2) = shape, box.tolist()
    around_y, around_x = (y2 - y1) / rows, (x2 - x1) / columns  # a cell, in the picture's pixels
    left, right = round(x1 - around_x), max(round(x2 + around_x), round(x1 - around_x) + 1)
    top, bottom = round(y1 - around_y), max(round(y2 + around_y), round(y1 - around_y) + 1)
    y = torch.arange(top, bottom).clamp(0, image.shape[1] - 1)
    x = torch.arange(left, right).clamp(0, image.shape[2] - 1)
    size = ((rows + 2) * cell, (columns + 2) * cell)
    crop = F.interpolate(image[None, :, y][..., x], size, mode="bilinear", antialias=True)[0]
    return hog_blocks(settle(crop), cell)[:, 1:-1, 1:-1]


def train(
    dataset, settings: HOGTraining = HOGTraining(), detector: HOGSettings = TEST_TIME,
    report: Callable[[dict], None] = lambda line: None,
) -> tuple[HOGDetector, list[dict]]:  # fmt: skip
    """A detector for a dataset of (image, target) pairs with ``classes``, and one dict a round of mining.

    A round says how many negatives each class gained (``added``) and was fitted on (``held``); `report` gets it as it
    ends. A class without objects never fires.
    """
    targets = [_objects(dataset[i][1]) for i in range(len(dataset))]
    model = HOGDetector(dataset.classes, template_shapes(targets, len(dataset.classes), settings.root_cells), detector)
    positives, negatives = _first_examples(model, dataset, settings)
    _fit(model, positives, negatives, settings)
    rounds = []
    for index in range(1, settings.svm.max_rounds + 1):
        negatives = [_without_easy(model, k, n, settings) for k, n in enumerate(negatives)]
        new = mine(model, dataset, negatives, settings)
        negatives = [_joined(a, b) for a, b in zip(negatives, new, strict=True)]
        _fit(model, positives, negatives, settings)
        rounds.append({"round": index, "added": [len(n.rows) for n in new], "held": [len(n.rows) for n in negatives]})
        report(rounds[-1])
        if sum(rounds[-1]["added"]) <= settings.svm.tolerance * sum(rounds[-1]["held"]):
            break
    return model, rounds


def mine(model: HOGDetector, dataset, known: list[Negatives], settings: HOGTraining) -> list[Negatives]:
    """One walk over all pictures: of each class the windows with a score above ``hard_score`` that are no object of it.

    The `max_per_image` hardest of a picture that are not ``known`` yet, and of all those the `max_new` hardest.
    """
    held = [set(n.rows.tolist()) for n in known]
    found, scores = [_nothing(model, k) for k in range(len(held))], [torch.zeros(0)] * len(held)
    for i, maps, image_size, target in _walk(model, dataset, "hard negatives"):
        for k in torch.isfinite(model.bias).nonzero().flatten().tolist():
            own = torch.cat([torch.zeros(0), *(s.flatten() for s in model.scores(maps, k))])  # (N,)
            own = own.masked_fill(~_apart(model, image_size, target, k, settings), -float("inf"))
            hard = (own > settings.svm.hard_score).nonzero().flatten()
            hard = hard[own[hard].argsort(descending=True, stable=True)].tolist()
            new = [j for j in hard if i * PICTURE + j not in held[k]][: settings.max_per_image]
            new = torch.tensor(new, dtype=torch.int64)
            fresh = Negatives(window_features(model, maps, k, new), new + i * PICTURE)
            found[k], scores[k] = _joined(found[k], fresh), torch.cat((scores[k], own[new]))
            if len(scores[k]) > 2 * settings.svm.max_new:
                found[k], scores[k] = _hardest(found[k], scores[k], settings.svm.max_new)
    return [_hardest(f, s, settings.svm.max_new)[0] for f, s in zip(found, scores, strict=True)]


def window_features(model: HOGDetector, maps: list[Tensor], label: int, index: Tensor) -> Tensor:
    """Features of some windows of a class, by their places in `HOGDetector.windows`: (n,) -> (n, D)."""
    rows, columns = model.template(label).shape[1:]
    features, start = torch.zeros(len(index), CHANNELS * rows * columns), 0
    for blocks in maps:
        if blocks.shape[1] < rows or blocks.shape[2] < columns:
            break
        cuts = blocks.unfold(1, rows, 1).unfold(2, columns, 1)  # (36, r, c, rows, columns), a view
        r, c = cuts.shape[1:3]
        here = (index >= start) & (index < start + r * c)
        place = index[here] - start
        features[here] = cuts[:, place // c, place % c].transpose(0, 1).flatten(1)
        start += r * c
    return features


def _objects(target: dict) -> dict[str, Tensor]:
    """Boxes and labels of a target, crowds left out."""
    single = ~target["iscrowd"].bool() if "iscrowd" in target else slice(None)
    return {"boxes": target["boxes"][single], "labels": target["labels"][single]}


def _walk(model: HOGDetector, dataset, what: str) -> Iterator[tuple[int, list[Tensor], tuple, dict]]:
    """One picture after another: its number, HOG maps, size and objects."""
    for i in tqdm(range(len(dataset)), desc=what, unit="image", disable=None):
        image, target = dataset[i]
        yield i, model.maps(image), tuple(image.shape[1:]), _objects(target)


def _first_examples(model: HOGDetector, dataset, settings: HOGTraining) -> tuple[list[Tensor], list[Negatives]]:
    """Features of all objects and of their mirror images, and random windows of each picture: K entries each."""
    generator = torch.Generator().manual_seed(settings.seed)
    positives = [[_nothing(model, k).features] for k in range(len(model.classes))]
    negatives = [_nothing(model, k) for k in range(len(model.classes))]
    for i, maps, image_size, target in _walk(model, dataset, "objects and random windows"):
        image = dataset[i][0]
        for box, label in zip(target["boxes"], target["labels"].tolist(), strict=True):
            shape = tuple(model.shapes[label].tolist())
            window = window_on(box, shape)
            positives[label].append(hog_of_box(image, window, shape, model.settings.cell).reshape(1, -1))
            mirrored = window[[2, 1, 0, 3]] * torch.tensor([-1.0, 1, -1, 1]) + image_size[1] * torch.tensor(
                [1.0, 0, 1, 0]
            )
            positives[label].append(hog_of_box(image.flip(2), mirrored, shape, model.settings.cell).reshape(1, -1))
        for k in range(1, len(model.classes)):
            free = _apart(model, image_size, target, k, settings).nonzero().flatten()
            some = free[torch.randperm(len(free), generator=generator)[: settings.svm.first_per_image]]
            negatives[k] = _joined(negatives[k], Negatives(window_features(model, maps, k, some), some + i * PICTURE))
    return [torch.cat(p) for p in positives], negatives


def _apart(model: HOGDetector, image_size, target: dict, label: int, settings: HOGTraining) -> Tensor:
    """Which windows of a class overlap no object of it by ``negative_iou`` or more: (N,) bool."""
    windows, objects = model.windows(image_size, label), target["boxes"][target["labels"] == label]
    if len(objects) == 0:
        return torch.ones(len(windows), dtype=torch.bool)
    return box_iou(windows, objects).amax(dim=1) < settings.svm.negative_iou


def _fit(model: HOGDetector, positives: list[Tensor], negatives: list[Negatives], settings: HOGTraining) -> None:
    """A linear SVM for each class, class by class, since their features differ in number."""
    for k in range(1, len(model.classes)):
        none = positives[k][:0]
        svms = fit_svms([none, positives[k]], [none, negatives[k].features], settings.svm)
        model.template(k).copy_(svms.weight[1].reshape(model.template(k).shape))
        model.bias[k] = svms.bias[1]


def _without_easy(model: HOGDetector, label: int, negatives: Negatives, settings: HOGTraining) -> Negatives:
    """Forget the negatives that lie far on the right side of the boundary, as R-CNN does."""
    keep = negatives.features @ model.template(label).flatten() + model.bias[label] >= settings.svm.easy_score
    return Negatives(negatives.features[keep], negatives.rows[keep])


def _hardest(negatives: Negatives, scores: Tensor, limit: int) -> tuple[Negatives, Tensor]:
    best = scores.argsort(descending=True, stable=True)[:limit]
    return Negatives(negatives.features[best], negatives.rows[best]), scores[best]


def _joined(a: Negatives, b: Negatives) -> Negatives:
    return Negatives(torch.cat((a.features, b.features)), torch.cat((a.rows, b.rows)))


def _nothing(model: HOGDetector, label: int) -> Negatives:
    return Negatives(torch.zeros(0, model.template(label).numel()), torch.zeros(0, dtype=torch.int64))
