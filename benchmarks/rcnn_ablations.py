"""The ablations of R-CNN on the scenes (its table 2, section 2.3, appendices A and B): claims R1 to R5.

    python benchmarks/rcnn_ablations.py --out runs/ablations

Takes the network as ImageNet made it and fine-tuned, extracts all features once, fits SVMs and regressors to each layer
of each, and measures all of them on the same test scenes with the same proposals. What had to be chosen (negative
threshold, lambda, order of regression and NMS) is measured on the last hundred training scenes, with ImageNet's network
and SVMs that have not seen them; the test scenes choose nothing. Each step leaves a file in OUT and is not repeated: an
interrupted run goes on. The result is data/measurements/rcnn_ablations.json, which notebook 08 reads.
"""

import argparse
import datetime
import json
import shlex
import sys
from pathlib import Path

import torch
from rcnn_crops import measure_crops
from rcnn_parts import Bench, detect, scores, spread
from tqdm import tqdm

from rcnn_lite.cache import write_atomically
from rcnn_lite.checkpoints import load_records, save_records
from rcnn_lite.datasets.scenes import Scenes
from rcnn_lite.heads.svm import SVMSettings
from rcnn_lite.models.backbone import build_backbone
from rcnn_lite.models.rcnn import RCNN
from rcnn_lite.models.rcnn_training import RCNNTraining, fine_tune, propose
from rcnn_lite.models.region_network import RegionFeatures
from rcnn_lite.paths import data_path

HELD_OUT = 100  # so many training scenes choose settings
LAYERS = RegionFeatures._fields
THRESHOLDS = (1e-6, 0.1, 0.2, 0.3, 0.4, 0.5)  # section 2.3; its 0 means: touches no object of the class
LAMBDAS = (10.0, 100.0, 1000.0, 10000.0)


def main() -> None:
    """All parts, and the file that they make."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    out = parser.parse_args().out
    torch.set_num_threads(2)
    train, test = Scenes("train"), Scenes("test")
    benches = make_benches(out, train, test)
    targets = {"train": [train[i][1] for i in range(len(train))], "test": [test[i][1] for i in range(len(test))]}
    chosen = choose(benches["imagenet"], targets["train"])
    result = {
        "command": f"python benchmarks/rcnn_ablations.py {shlex.join(sys.argv[1:])}",
        "date": datetime.date.today().isoformat(),
        "data": {"train": train.fingerprint, "test": test.fingerprint},
        "held_out": chosen,
        "layers": compare_layers(benches, targets["test"]),
        "averaged pool5": average(benches["imagenet"], targets["test"]),
        "softmax": compare_softmax(benches["tuned"], targets["test"]),
        "crops": measure_crops(out, train, test, benches["imagenet"]),
    }
    text = json.dumps(result, indent=1)
    write_atomically(data_path("measurements/rcnn_ablations.json"), lambda file: file.write_text(text + "\n"))
    print(text)


def make_benches(out: Path, train: Scenes, test: Scenes) -> dict[str, Bench]:
    """Both networks with their features of all regions."""
    plain, tuned = (RCNN(build_backbone("lite0"), train.classes) for _ in range(2))
    regions = propose(plain, train, out / "train_regions.safetensors", RCNNTraining())
    test_regions = look_at(plain, test, out / "test_regions.safetensors")
    fine_tune(tuned, train, regions, out, RCNNTraining())
    return {
        name: Bench(model, name, out, regions, test_regions).fill(train, test)
        for name, model in (("imagenet", plain), ("tuned", tuned))
    }


def look_at(model: RCNN, test: Scenes, file: Path) -> list[dict[str, torch.Tensor]]:
    """The proposals of `RCNN.detect` in each test scene, with its objects."""
    if not file.is_file():
        records = []
        for i in tqdm(range(len(test)), desc="test proposals", unit="image", disable=None):
            image, target = test[i]
            proposals = model.usable(model.propose(image), image.shape[1:])
            records.append({"proposals": proposals, "objects": target["boxes"], "labels": target["labels"]})
        save_records(file, records, {"stage": "proposals"})
    return load_records(file)[0]


def choose(bench: Bench, targets: list[dict]) -> dict:
    """Fit to the first scenes, measure on the last: thresholds (claim R4), lambda, order of NMS and regression.

    The network must not have seen the last scenes either, so it is not the fine-tuned one.
    """
    cut, training = len(targets) - HELD_OUT, RCNNTraining()
    fit, held = bench.train.part(0, cut), bench.train.part(cut, len(targets))

    def found(threshold: float, lam: float, **settings) -> list[dict]:
        svms = bench.fit_svms(fit, "fc6", SVMSettings(negative_iou=threshold), f"{threshold:g}_of_{cut}")
        ridge = bench.fit_ridge(fit, lam, f"of_{cut}")
        return detect(bench.detector(RCNN, "fc6", svms, ridge, **settings), held)

    held_targets, lam = targets[cut:], training.ridge_lambda
    by_threshold = {threshold: found(threshold, lam, regress=False) for threshold in THRESHOLDS}
    chosen = by_threshold[training.svm.negative_iou]
    return {
        "fitted": cut,
        "measured": HELD_OUT,
        "thresholds": {f"{t:.1f}": scores(d, held_targets)["mAP"] for t, d in by_threshold.items()},
        "gain over the widest": spread(chosen, by_threshold[max(THRESHOLDS)], held_targets),
        "gain over the narrowest": spread(chosen, by_threshold[min(THRESHOLDS)], held_targets),
        "lambdas": {f"{lam:g}": scores(found(0.3, lam), held_targets) for lam in LAMBDAS},
        "NMS": {
            "of regressed boxes": scores(found(0.3, lam), held_targets),
            "of proposed boxes": scores(found(0.3, lam, nms_first=True), held_targets),
        },
    }


def compare_layers(benches: dict[str, Bench], targets: list[dict]) -> dict:
    """Claims R1, R2, R3: both networks, three layers, with and without box regression, on the test scenes."""
    rows, found = [], {}
    for name, bench in benches.items():
        ridge = bench.fit_ridge(bench.train, RCNNTraining().ridge_lambda, "all")
        for layer in LAYERS:
            svms = bench.fit_svms(bench.train, layer, SVMSettings(), "all")
            for regress in (False, True):
                detections = detect(bench.detector(RCNN, layer, svms, ridge, regress=regress), bench.test)
                found[name, layer, regress] = detections
                row = {"network": name, "layer": layer, "regression": regress}
                rows.append(row | scores(detections, targets))
    pairs = {
        "R1 fine-tuning, pool5": (("tuned", "pool5", False), ("imagenet", "pool5", False)),
        "R1 fine-tuning, fc6": (("tuned", "fc6", False), ("imagenet", "fc6", False)),
        "R1 fine-tuning, fc7": (("tuned", "fc7", False), ("imagenet", "fc7", False)),
        "R2 fc6 over pool5, ImageNet": (("imagenet", "fc6", False), ("imagenet", "pool5", False)),
        "R2 fc7 over pool5, ImageNet": (("imagenet", "fc7", False), ("imagenet", "pool5", False)),
        "R2 fc6 over pool5, tuned": (("tuned", "fc6", False), ("tuned", "pool5", False)),
        "R2 fc7 over pool5, tuned": (("tuned", "fc7", False), ("tuned", "pool5", False)),
        "R3 regression, fc6 tuned": (("tuned", "fc6", True), ("tuned", "fc6", False)),
        "R3 regression, fc7 tuned": (("tuned", "fc7", True), ("tuned", "fc7", False)),
    }
    gains = {claim: spread(found[a], found[b], targets) for claim, (a, b) in pairs.items()}
    return {"rows": rows, "gains": gains}


def average(bench: Bench, targets: list[dict]) -> dict:
    """Why fc6 falls behind pool5 before fine-tuning: pool5 without its positions, as fc6 averages them away too."""
    ridge = bench.fit_ridge(bench.train, RCNNTraining().ridge_lambda, "all")
    svms = bench.fit_svms(bench.train, "pool5", SVMSettings(), "all")
    flat = detect(bench.detector(RCNN, "pool5", svms, ridge, regress=False), bench.test)
    averaged = detect(bench.averaged_detector(ridge, regress=False), bench.test)
    return scores(averaged, targets) | {"gain of positions": spread(flat, averaged, targets)}


def compare_softmax(bench: Bench, targets: list[dict]) -> dict:
    """Appendix B: the layer that the network was fine-tuned with, instead of SVMs on fc7, both without regression."""
    ridge = bench.fit_ridge(bench.train, RCNNTraining().ridge_lambda, "all")
    svms = bench.fit_svms(bench.train, "fc7", SVMSettings(), "all")
    by_svm = detect(bench.detector(RCNN, "fc7", svms, ridge, regress=False), bench.test)
    by_softmax = detect(bench.softmax_detector(svms, ridge, regress=False, score_threshold=0.01), bench.test)
    result = {"SVM": scores(by_svm, targets), "softmax": scores(by_softmax, targets)}
    return result | {"gain of the SVMs": spread(by_svm, by_softmax, targets)}


if __name__ == "__main__":
    main()
