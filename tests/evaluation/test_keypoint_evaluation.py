"""evaluate_keypoints: equal to pycocotools on random images of people and of other things, and a few by hand."""

import contextlib
import io
import math

import numpy as np
import pytest
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from rcnn_lite.evaluation.keypoints import COCO_SIGMAS, evaluate_keypoints, keypoint_similarity

NAMES = ("AP", "AP50", "AP75", "APm", "APl", "AR", "AR50", "AR75", "ARm", "ARl")


def pycocotools_numbers(detections, targets, sigmas, num_classes):
    truth, results = COCO(), []
    images = [{"id": i + 1} for i in range(len(targets))]
    annotations = []
    for image, (detection, target) in enumerate(zip(detections, targets, strict=True), start=1):
        for i, (points, box) in enumerate(zip(target["keypoints"].double(), target["boxes"].double(), strict=True)):
            x1, y1, x2, y2 = box.tolist()
            area = float(target["area"][i]) if "area" in target else (x2 - x1) * (y2 - y1)
            ids = {"id": len(annotations) + 1, "image_id": image, "category_id": int(target["labels"][i])}
            shape = {"bbox": [x1, y1, x2 - x1, y2 - y1], "keypoints": points.flatten().tolist(), "area": area}
            counts = {"num_keypoints": int((points[:, 2] > 0).sum()), "iscrowd": int(target["iscrowd"][i])}
            annotations.append(ids | shape | counts)
        for points, label, score in zip(*(detection[k] for k in ("keypoints", "labels", "scores")), strict=True):
            ids = {"image_id": image, "category_id": int(label), "score": float(score)}
            results.append(ids | {"keypoints": points.double().flatten().tolist()})
    categories = [{"id": label} for label in range(1, num_classes)]
    truth.dataset = {"info": {}, "images": images, "annotations": annotations, "categories": categories}
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(results), "keypoints")
        evaluation.params.kpt_oks_sigmas = np.asarray(sigmas)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return dict(zip(NAMES, evaluation.stats.tolist(), strict=True))


def scattered(seed, images=25, keypoints=17, most=30, num_classes=3):
    """Objects of all sizes, some crowds, some without keypoints, class 2 without any; detections near them and not."""
    g = torch.Generator().manual_seed(seed)
    detections, targets = [], []
    for _ in range(images):
        m, n = (int(torch.randint(limit, (), generator=g)) for limit in (6, most))
        low, sides = torch.rand(m, 2, generator=g) * 300, 2 ** (torch.rand(m, 2, generator=g) * 4 + 4)
        boxes = torch.cat((low, low + sides), dim=1)
        points = low[:, None] + torch.rand(m, keypoints, 2, generator=g) * sides[:, None]
        seen = torch.randint(3, (m, keypoints, 1), generator=g) * (torch.rand(m, 1, 1, generator=g) > 0.2)
        labels = torch.randint(1, num_classes, (m,), generator=g)
        seen = seen * (labels < 2)[:, None, None]
        target = {"boxes": boxes, "labels": labels, "keypoints": torch.cat((points, seen.float()), dim=2)}
        target["iscrowd"] = torch.rand(m, generator=g) < 0.15
        if len(targets) % 2:
            target["area"] = sides.prod(1) * (0.3 + 0.7 * torch.rand(m, generator=g))
        found = torch.rand(n, keypoints, 3, generator=g) * 400
        if m:
            of = torch.randint(m, (n,), generator=g)
            close = points[of] + torch.randn(n, keypoints, 2, generator=g) * sides[of][:, None] * 0.05
            found[..., :2] = torch.where(torch.rand(n, 1, 1, generator=g) < 0.8, close, found[..., :2])
        detection = {"keypoints": found, "boxes": torch.tensor([[0.0, 0, 9, 9]]).repeat(n, 1)}
        detection["labels"] = torch.where(torch.rand(n, generator=g) < 0.9, 1, 2)
        detection["scores"] = (torch.rand(n, generator=g) * 20).round() / 20  # ties
        detections.append(detection)
        targets.append(target)
    return detections, targets


@pytest.mark.parametrize("seed", range(4))
def test_equal_to_pycocotools(seed):
    detections, targets = scattered(seed)
    ours = evaluate_keypoints(detections, targets, COCO_SIGMAS, num_classes=3)
    assert tuple(ours) == NAMES
    assert ours == pytest.approx(pycocotools_numbers(detections, targets, COCO_SIGMAS, 3), abs=1e-9)
    assert 0.02 < ours["AP"] < 0.9


def test_equal_to_pycocotools_with_more_than_twenty_detections_and_other_sigmas():
    detections, targets = scattered(9, keypoints=4, most=90)
    sigmas = (0.1, 0.05, 0.02, 0.2)
    ours = evaluate_keypoints(detections, targets, sigmas)
    assert ours == pytest.approx(pycocotools_numbers(detections, targets, sigmas, 3), abs=1e-9)
    best = [{k: v[d["scores"].argsort(descending=True, stable=True)[:20]] for k, v in d.items()} for d in detections]
    assert sum(len(d["scores"]) for d in best) < sum(len(d["scores"]) for d in detections)
    same = evaluate_keypoints(detections, targets, 0.05)
    assert same == pytest.approx(pycocotools_numbers(detections, targets, [0.05] * 4, 3), abs=1e-9)


def one(points, score=None, **rest):
    points = torch.tensor(points, dtype=torch.float32)
    made = {"boxes": torch.tensor([[0.0, 0, 40, 40]]), "labels": torch.tensor([1]), "keypoints": points[None]}
    return made | ({} if score is None else {"scores": torch.tensor([score])}) | rest


def test_one_object_by_hand():
    # area 1,600, root 40, 2 sigma = 0.1: a point 4 pixels off counts exp(-1/2) = 0.607. Mean of that and 1: 0.803
    target = one([[10, 10, 2], [20, 20, 1], [30, 30, 0]])
    detection = one([[14, 10, 1], [20, 20, 1], [500, 500, 1]], 0.9)
    numbers = evaluate_keypoints([detection], [target])
    right = 7 / 10  # of the thresholds 0.5 ... 0.8
    expected = {"AP50": 1, "AP75": 1, "AR50": 1, "AR75": 1, "APl": -1, "ARl": -1}
    assert numbers == pytest.approx(dict.fromkeys(NAMES, right) | expected)


def test_similarity_by_hand():
    points, box = np.array([[[14.0, 10, 1], [20, 20, 1]]]), np.array([[0.0, 0, 40, 40]])
    sizes, sigmas = np.array([1600.0]), np.array([0.05, 0.05])
    similar = keypoint_similarity(points, np.array([[[10.0, 10, 2], [20, 20, 1]]]), box, sizes, sigmas)
    assert similar == pytest.approx((1 + math.exp(-0.5)) / 2)
    similar = keypoint_similarity(points, np.array([[[10.0, 10, 2], [99, 99, 0]]]), box, sizes, sigmas)
    assert similar == pytest.approx(math.exp(-0.5))
    unknown = np.array([[[10.0, 10, 0], [99, 99, 0]]])
    assert keypoint_similarity(points, unknown, box, sizes, sigmas) == 1
    outside = points + [70, 0, 0]  # 84 and 90; the box enlarged three times ends at 80
    expected = (math.exp(-0.5) + math.exp(-100 / 32)) / 2
    assert keypoint_similarity(outside, unknown, box, sizes, sigmas) == pytest.approx(expected)


def test_objects_without_keypoints_are_no_loss_and_no_gain():
    known, unknown = one([[10, 10, 2]]), one([[0, 0, 0]])
    found = one([[10, 10, 1]], 0.9)
    both = {k: torch.cat((known[k], unknown[k])) for k in known}
    twice = {k: torch.cat((found[k], found[k])) for k in found}
    assert evaluate_keypoints([twice], [both])["AP"] == 1  # the second detection is of the object nobody annotated
    assert evaluate_keypoints([twice], [known])["AP"] == 1  # found twice: wrong, but only after full recall
    assert evaluate_keypoints([found], [unknown]) == dict.fromkeys(NAMES, -1)


def test_nothing_found_and_nothing_there():
    nothing = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
    none = nothing | {"keypoints": torch.zeros(0, 3, 3), "scores": torch.zeros(0)}
    target, detection = one([[10, 10, 2]] * 3), one([[10, 10, 2]] * 3, 0.5)
    assert evaluate_keypoints([none], [target])["AP"] == 0
    assert evaluate_keypoints([detection], [none]) == dict.fromkeys(NAMES, -1)
    assert evaluate_keypoints([none], [none]) == evaluate_keypoints([], []) == dict.fromkeys(NAMES, -1)
    other = none | {"keypoints": torch.zeros(0, 7, 3)}  # nobody can say how many
    assert evaluate_keypoints([other], [target])["AP"] == 0
    assert evaluate_keypoints([detection], [other], (0.1, 0.1, 0.1))["AP"] == -1


def test_bad_input():
    target, detection = one([[10, 10, 2]]), one([[10, 10, 2]], 0.5)
    with pytest.raises(ValueError, match="detections has 1 images but targets has 2"):
        evaluate_keypoints([detection], [target] * 2)
    with pytest.raises(ValueError, match=r"targets\[0\] has no key 'keypoints'"):
        evaluate_keypoints([detection], [{k: v for k, v in target.items() if k != "keypoints"}])
    with pytest.raises(
        ValueError, match=r"detections\[0\]\['keypoints'\] must have shape \(1, K, 3\), got \(1, 1, 2\)"
    ):
        evaluate_keypoints([detection | {"keypoints": torch.zeros(1, 1, 2)}], [target])
    with pytest.raises(ValueError, match=r"detections\[0\]\['keypoints'\] has a number that is not finite"):
        evaluate_keypoints([one([[math.nan, 1, 1]], 0.5)], [target])
    with pytest.raises(ValueError, match="image 0: a detection has 2 keypoints, an object 1"):
        evaluate_keypoints([one([[1, 1, 1]] * 2, 0.5)], [target])
    with pytest.raises(ValueError, match=r"sigmas must be one number or 1, got \(2,\)"):
        evaluate_keypoints([detection], [target], (0.1, 0.1))
    with pytest.raises(ValueError, match=r"sigmas must be positive, got \[0.0\]"):
        evaluate_keypoints([detection], [target], 0.0)
