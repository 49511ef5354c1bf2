"""evaluate_coco against pycocotools, on synthetic detections of 80 classes. Run: python benchmarks/evaluate_coco.py

Also the bridge to pycocotools that the tests use: `to_records` and `pycocotools_numbers`.
"""

import contextlib
import io
import time

import numba
import numpy as np
import torch
from harness import Comparison, compare, write_table
from pycocotools import mask as mask_tools
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from rcnn_lite.evaluation import evaluate_coco

NUM_CLASSES = 81
NAMES = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")


def synthetic(n: int, size: int = 640, seed: int = 0) -> tuple[list, list]:
    """n images, about 7 objects and 30 detections each; 70 % of the detections are objects, moved, some mislabelled."""
    rng = np.random.default_rng(seed)
    detections, targets = [], []
    for _ in range(n):
        m, k = rng.poisson(7), rng.poisson(30)
        boxes, labels = _random_boxes(rng, m, size), rng.integers(1, NUM_CLASSES, m)
        found, found_labels = _random_boxes(rng, k, size), rng.integers(1, NUM_CLASSES, k)
        for i in np.flatnonzero(rng.random(k) < 0.7) if m else ():
            j = rng.integers(m)
            shake = rng.normal(0, 0.1, 4) * np.tile(boxes[j, 2:] - boxes[j, :2], 2)
            x, y = (boxes[j] + shake).clip(0, size).reshape(2, 2).T
            found[i] = x.min(), y.min(), x.max() + 1, y.max() + 1
            found_labels[i] = labels[j] if rng.random() < 0.8 else found_labels[i]
        crowd = torch.from_numpy(rng.random(m) < 0.02)
        targets.append({"boxes": _floats(boxes), "labels": torch.from_numpy(labels), "iscrowd": crowd})
        scores = _floats(rng.random(k))
        detections.append({"boxes": _floats(found), "labels": torch.from_numpy(found_labels), "scores": scores})
    return detections, targets


def _random_boxes(rng: np.random.Generator, n: int, size: int) -> np.ndarray:
    sides = rng.lognormal(4, 1, (n, 2)).clip(4, size - 1)
    corner = rng.uniform(0, size - sides)
    return np.hstack((corner, corner + sides))


def _floats(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array).float()


def with_masks(records: list[dict], size: int, prediction: bool) -> list[dict]:
    """Give every box an elliptical mask: uint8 (N, H, W), or float (N, 1, H, W) for a prediction."""
    y, x = torch.meshgrid(torch.arange(size) + 0.5, torch.arange(size) + 0.5, indexing="ij")  # (H, W)
    result = []
    for record in records:
        x1, y1, x2, y2 = record["boxes"].T[:, :, None, None]  # (N, 1, 1) each
        masks = ((2 * x - x1 - x2) / (x2 - x1)) ** 2 + ((2 * y - y1 - y2) / (y2 - y1)) ** 2 <= 1  # (N, H, W)
        result.append({**record, "masks": masks.float()[:, None] if prediction else masks.byte()})
    return result


def to_records(detections: list[dict], targets: list[dict], iou_type: str) -> tuple[list, list, list]:
    """Images, annotations and results as pycocotools wants them: plain dicts, boxes x y w h, masks as run lengths."""
    images, annotations, results = [], [], []
    for image_id, (detection, target) in enumerate(zip(detections, targets, strict=True), start=1):
        height, width = target["masks"].shape[1:] if iou_type == "segm" else (0, 0)
        images.append({"id": image_id, "height": height, "width": width})
        for i, shape in enumerate(_shapes(target, iou_type)):
            area = _area(shape) if "area" not in target else float(target["area"][i])
            crowd = int(target["iscrowd"][i]) if "iscrowd" in target else 0
            label = int(target["labels"][i])
            # ids start at 1: pycocotools takes an object with id 0 for "no match"
            ids = {"id": len(annotations) + 1, "image_id": image_id, "category_id": label}
            annotations.append({**ids, **shape, "area": area, "iscrowd": crowd})
        for i, shape in enumerate(_shapes(detection, iou_type)):
            label, score = int(detection["labels"][i]), float(detection["scores"][i])
            results.append({"image_id": image_id, "category_id": label, "score": score, **shape})
    return images, annotations, results


def _shapes(record: dict, iou_type: str) -> list[dict]:
    if iou_type == "bbox":
        boxes = record["boxes"].double()
        return [{"bbox": box} for box in torch.cat((boxes[:, :2], boxes[:, 2:] - boxes[:, :2]), dim=1).tolist()]
    masks = record["masks"].squeeze(1) if record["masks"].ndim == 4 else record["masks"]  # (N, H, W)
    pixels = (masks > 0.5).byte().numpy()
    return [{"segmentation": mask_tools.encode(np.asfortranarray(mask))} for mask in pixels]


def _area(shape: dict) -> float:
    return shape["bbox"][2] * shape["bbox"][3] if "bbox" in shape else float(mask_tools.area(shape["segmentation"]))


def pycocotools_numbers(images: list, annotations: list, results: list, num_classes: int, iou_type: str) -> dict:
    """The twelve numbers by pycocotools, from building its index to its summary."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        categories = [{"id": label} for label in range(1, num_classes)]
        truth.dataset = {"info": {}, "images": images, "annotations": annotations, "categories": categories}
        truth.createIndex()
        if results:
            found = truth.loadRes(results)
        else:  # loadRes cannot read an empty list
            found = COCO()
            found.dataset = {**truth.dataset, "annotations": []}
            found.createIndex()
        evaluation = COCOeval(truth, found, iou_type)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return dict(zip(NAMES, evaluation.stats.tolist(), strict=True))


def compare_on(name: str, inputs: tuple[list, list], iou_type: str, convert: bool, repeats: int) -> Comparison:
    """Time both on one input, once they agree; ``convert``: making pycocotools' records is part of its work."""
    records = to_records(*inputs, iou_type)

    def ours() -> dict:
        return evaluate_coco(*inputs, iou_type)

    def peer() -> dict:
        images, annotations, results = to_records(*inputs, iou_type) if convert else records
        results = [dict(result) for result in results]  # loadRes writes into them and would misread its own marks
        return pycocotools_numbers(images, annotations, results, NUM_CLASSES, iou_type)

    a, b = ours(), peer()
    worst = max(abs(a[key] - b[key]) for key in NAMES)
    assert worst < 1e-9, f"{name}: the answers differ by {worst}"
    return compare(name, ours, peer, repeats=repeats, warmup=0)  # the check above was the warm-up


NOTE = """
Ours: `evaluate_coco` from lists of tensors, checks of the input included. Peer: pycocotools' index, `loadRes`,
`evaluate`, `accumulate` and `summarize`, its printing swallowed. "From records": its input lies ready as Python dicts
before the clock starts; "from tensors": making them (for masks: run lengths) from the same tensors counts. 80
classes, about 7 objects and 30 detections an image, 2 % crowds. Both give the same twelve numbers within 1e-9
(asserted). Compiling our loops is not timed; the first call of this run, compilation included, took {compiling:.1f} s
(less when numba finds them in its cache).
"""


def main() -> None:
    torch.set_num_threads(2)
    numba.set_num_threads(min(2, numba.config.NUMBA_NUM_THREADS))
    few = synthetic(20, size=320)
    masks = with_masks(few[0], 320, prediction=True), with_masks(few[1], 320, prediction=False)
    start = time.perf_counter()
    for iou_type in ("bbox", "segm"):
        evaluate_coco(*masks, iou_type)
    compiling = time.perf_counter() - start
    many = synthetic(5000)
    rows = [
        compare_on("bbox, 5,000 images, from records", many, "bbox", convert=False, repeats=3),
        compare_on("bbox, 5,000 images, from tensors", many, "bbox", convert=True, repeats=3),
        compare_on("segm, 20 images of 320 x 320, from records", masks, "segm", convert=False, repeats=15),
        compare_on("segm, 20 images of 320 x 320, from tensors", masks, "segm", convert=True, repeats=15),
    ]
    note = " ".join(NOTE.format(compiling=compiling).split())
    write_table("evaluate_coco", "The twelve COCO numbers", rows, note, packages=("pycocotools",))


if __name__ == "__main__":
    main()
