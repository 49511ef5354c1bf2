"""What classic mistakes cost: mAP, AP and recall with each switched on, over three seeds.

    python benchmarks/mistakes_cost.py --out runs/mistakes
    python benchmarks/mistakes_cost.py --out runs/mistakes --train        those of training, too: short trainings

Each is one line, ``with mistake(name)``, around a detector that was trained without it, or around a short training with
one without a mistake beside it. Trained detectors are those of faster_rcnn_claims.py and mask_rcnn_claims.py, in the
folder RUNS; the maps of pictures are computed once, as none of these mistakes reaches them. What was detected with a
mistake is judged by the right evaluator; mistakes of measuring judge what was rightly detected. Each mistake leaves a
file a seed in OUT and is not measured again. The result is data/measurements/mistakes.json, which notebook 16 reads; it
has what is there, with as many seeds as there are.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import torch
from fast_rcnn_claims import kept
from harness import how_made
from mistakes_cases import CASES, MEASURING, Case, Detector, Models
from mistakes_training import TRAINED, trained
from rcnn_parts import RESAMPLES
from resampling import resampled
from tqdm import tqdm

from rcnn_lite.cache import write_atomically
from rcnn_lite.checks.mistakes import mistake, mistakes
from rcnn_lite.datasets.scenes import Scenes
from rcnn_lite.evaluation import evaluate_coco, evaluate_voc, proposal_recall
from rcnn_lite.paths import data_path

RIGHT = "right"


def main() -> None:
    """All cases, and the file that they make."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where trained models are")
    parser.add_argument("--images", type=int, help="the first N scenes of each split (default: all)")
    parser.add_argument("--seeds", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument("--train", action="store_true", help="mistakes of training, too")
    parser.add_argument("--batches", type=int, default=200, help="of a short training (default: %(default)s)")
    parser.add_argument("--result", type=Path, default=data_path("measurements/mistakes.json"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    bench = Bench(args.out, Scenes("test", n=args.images), args.seeds)
    models = Models(args.runs, bench.test)
    for name in dict.fromkeys(case.model for case in CASES):
        for seed in models.seeds(name, args.seeds):
            bench.measure(name, seed, models)
            bench.write(args.result)
    if args.train:
        train = Scenes("train", n=args.images)
        for seed in range(args.seeds):
            for name in (RIGHT, *TRAINED):
                model = trained(args.out / "trained", name, seed, train, args.batches)
                bench.run(f"{name}, training", seed, lambda model=model: Detector(model, None))
            bench.write(args.result)


class Bench:
    """The test scenes, and the folder where everything that was measured is kept."""

    def __init__(self, out: Path, test: Scenes, seeds: int):
        self.out, self.test, self.seeds = out, test, seeds
        self.targets = [test[i][1] for i in range(len(test))]

    def file(self, name: str, seed: int) -> Path:
        return self.out / f"{name.replace(', ', '_')}_seed_{seed}_of_{len(self.test)}.json"

    def measure(self, model: str, seed: int, models: Models) -> None:
        """All cases of one trained model that are missing, and the model without a mistake."""
        cases = [case for case in CASES if case.model == model and not self.file(case.name, seed).is_file()]
        if not cases and self.file(f"{RIGHT}, {model}", seed).is_file():
            return
        detector = models.detector(model, seed)
        for i in range(len(self.test)):
            detector.look(self.test[i][0])
        detector.detect(0, self.test[0][0])  # untimed: what compiles does so before the clock runs
        found = self.detections(detector, f"{model} {seed}")
        kept(self.file(f"{RIGHT}, {model}", seed), lambda: figures(*found, self.targets))
        for case in cases:
            kept(self.file(case.name, seed), lambda case=case: self.case(case, seed, detector, found))

    def case(self, case: Case, seed: int, detector: Detector, found: tuple) -> dict:
        """The figures with a mistake; of a mistake of measuring also those without."""
        targets, wrong = case.targets(self.targets), found
        before = {"without": figures(*found, targets)} if case.when == MEASURING else {}
        with mistake(case.mistake):
            if case.when == MEASURING:
                return figures(*found, targets) | before
            wrong = self.detections(detector, f"{case.mistake} {seed}")
        detector.begin()
        return figures(*wrong, targets)

    def run(self, name: str, seed: int, make) -> None:
        """The figures of a model that learned with a mistake, or without."""
        kept(self.file(name, seed), lambda: figures(*self.detections(make(), f"{name} {seed}"), self.targets))

    def detections(self, detector: Detector, name: str) -> tuple[list, list, list]:
        """What is found in the test scenes with what is switched on now; proposals; processor seconds, without those
        of the maps.
        """
        detector.begin()
        found, proposals, seconds = [], [], []
        for i in tqdm(range(len(self.test)), name, unit="image", disable=None):
            start = time.process_time()
            one, boxes = detector.detect(i, self.test[i][0])
            seconds.append(time.process_time() - start)
            if "masks" in one:
                one = one | {"masks": one["masks"] > 0.5}  # a quarter of the memory
            found.append(one)
            proposals.append(boxes)
        return found, proposals, seconds

    def write(self, file: Path) -> None:
        """All cases that are there, and how they were measured."""
        cases = [(case.name, case.mistake, case.model, f"{RIGHT}, {case.model}") for case in CASES]
        cases += [(f"{name}, training", name, "faster_rcnn", f"{RIGHT}, training") for name in TRAINED]
        rows = [row for case in cases if (row := self.row(*case))]
        heading = how_made("mistakes_cost.py") | {
            "data": self.test.fingerprint,
            "test images": len(self.test),
            "resamples": RESAMPLES,
        }
        text = json.dumps(heading | {"rows": rows}, indent=1)
        write_atomically(file, lambda temporary: temporary.write_text(text + "\n", encoding="utf-8"))

    def row(self, name: str, mistaken: str, model: str, base: str) -> dict | None:
        """One mistake: what each seed reaches without and with it, and what it costs. None if no seed is there."""
        there = [s for s in range(self.seeds) if self.file(name, s).is_file() and self.file(base, s).is_file()]
        if not there:
            return None
        wrong = [json.loads(self.file(name, seed).read_text(encoding="utf-8")) for seed in there]
        right = [json.loads(self.file(base, seed).read_text(encoding="utf-8")) for seed in there]
        right = [one.get("without", other) for one, other in zip(wrong, right, strict=True)]
        row = {"mistake": mistaken, "when": name.rsplit(", ", 1)[1], "model": model, "sentence": mistakes()[mistaken]}
        row |= {"seeds": len(there), "without": [plain(one) for one in right], "with": [plain(one) for one in wrong]}
        numbers = row["without"][0]
        row["cost"] = {
            key: [round(a[key] - b[key], 5) for a, b in zip(row["without"], row["with"], strict=True)]
            for key in numbers
        }
        if row["when"] == MEASURING:  # how these scenes are misjudged says nothing of others
            return row
        draws = [torch.tensor([one["draws"] for one in side]).double().mean(dim=0) for side in (right, wrong)]
        bounds = (draws[0] - draws[1]).quantile(torch.tensor([0.025, 0.975]).double())
        return row | {"cost of mAP, 95 %": [round(value, 5) for value in bounds.tolist()]}


def plain(figures_of: dict) -> dict[str, float]:
    """The figures without the draws."""
    return {key: value for key, value in figures_of.items() if isinstance(value, float)}


def figures(found: list[dict], proposals: list, seconds: list[float], targets: list[dict]) -> dict:
    """What a run is judged by; "draws": its mAP in other sets of scenes, always the same."""
    values = {"mAP": evaluate_voc(found, targets)["mAP"], "AP": evaluate_coco(found, targets)["AP"]}
    if "masks" in found[0]:
        values["mask AP"] = evaluate_coco(found, targets, iou_type="segm")["AP"]
    values["recall"] = float(proposal_recall(proposals, targets, [0.5]))
    values["seconds"] = statistics.median(seconds)
    rounded = {key: round(value, 5) for key, value in values.items()}
    return rounded | {"draws": [round(value, 5) for value in resampled(found, targets).tolist()]}


if __name__ == "__main__":
    main()
