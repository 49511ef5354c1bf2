"""Faster R-CNN on the scenes: learned proposals against selective search, and claims X1 to X7.

    python benchmarks/faster_rcnn_claims.py --out runs/faster_rcnn_claims
    python benchmarks/faster_rcnn_claims.py --out runs/faster_rcnn_claims --only X5 X6 --threads 1

Trains what is missing in OUT, one after another: the joint model and the alternating one as they ship, and Fast R-CNN,
each from several seeds, and for X5 and X6 short trainings at one size. Models, detections and tables are kept in OUT
and not made again: an interrupted run goes on. A table has each seed's figures, their means, and the interval of the
gain over its base. After each part data/measurements/faster_rcnn.json, which notebook 12 reads, is written from all
parts that are there. A training time is only right if the training was not interrupted; otherwise it is left out.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from fast_rcnn_claims import kept
from faster_rcnn_parts import Bench, Detections, propose, remember_maps
from faster_rcnn_timing import time_proposals, time_sharing, time_systems
from faster_rcnn_variants import compare_anchors, compare_lambdas, take_away
from harness import how_made
from rcnn_parts import RESAMPLES
from torch import Tensor

from rcnn_lite.cache import write_atomically
from rcnn_lite.evaluation import proposal_recall
from rcnn_lite.paths import data_path
from rcnn_lite.proposals.rpn import ProposalCounts

COUNTS = (10, 30, 50, 100, 200, 300, 500, 1000)  # proposals looked at, for recall
MANY = ProposalCounts(6000, 1000)
DETECTORS = [("fast_rcnn", "selective search", "all"), ("fast_rcnn", "selective search", 300)]  # the first is the base
DETECTORS += [("faster_rcnn", "learned", count) for count in (50, 100, 300)]
DETECTORS += [("faster_rcnn", "selective search", "all"), ("faster_rcnn", "selective search", 300)]
TRAININGS = {"joint": "faster_rcnn", "alternating": "faster_rcnn_alternating"}  # the recipe of each


def main() -> None:
    """The parts asked for, and the file that they make."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts, in this order")
    parser.add_argument("--seeds", type=int, default=3, help="of each whole training (default: %(default)s)")
    parser.add_argument("--short-seeds", type=int, default=3, help="of each short training (default: %(default)s)")
    parser.add_argument("--iterations", type=int, default=800, help="of a short training (default: %(default)s)")
    parser.add_argument("--sides", type=int, nargs="+", default=[384], help="of its pictures (default: 384)")
    parser.add_argument("--images", type=int, help="the first N scenes of each split only, to try the script")
    parser.add_argument("--batches", type=int, help="of the whole trainings, to try the script")
    parser.add_argument("--fast", default="fast_rcnn_scenes", help="Fast R-CNN of seed 0 (default: the one that ships)")
    parser.add_argument("--threads", type=int, default=2, help="(default: %(default)s)")
    parser.add_argument("--result", type=Path, default=data_path("measurements/faster_rcnn.json"))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    counts = args.seeds, args.short_seeds
    bench = Bench(args.out, args.images, args.batches, args.iterations, tuple(args.sides), args.fast, *counts)
    bench.claim()
    for part in args.only:
        print(f"{part} {time.strftime('%H:%M:%S')}", flush=True)
        kept(file_of(part, bench), lambda part=part: PARTS[part](bench))
        text = json.dumps(result(bench), indent=1)
        write_atomically(args.result, lambda file, text=text: file.write_text(text + "\n"))
    print(text)


def file_of(part: str, bench: Bench) -> Path:
    """Where a part's table is kept; with other seeds it is another table."""
    short = (bench.short_seeds, bench.iterations, *bench.sides)
    of_what = {"X2": (), "speed": (), "X5": short, "X6": short}.get(part, (bench.seeds,))
    return bench.out / f"{'_'.join(map(str, (part, *of_what)))}.json"


def result(bench: Bench) -> dict:
    """All parts that are there, and how they were made."""
    files = {part: file_of(part, bench) for part in PARTS}
    short = {"iterations": bench.iterations, "sides": bench.sides, "seeds": bench.short_seeds}
    return {
        **how_made("faster_rcnn_claims.py"),
        "data": {"train": bench.train.fingerprint, "test": bench.test.fingerprint},
        "settings": {
            "train images": len(bench.train),
            "test images": len(bench.test),
            "seeds": bench.seeds,
            "short trainings": short,
            "resamples": RESAMPLES,
        },
    } | {part: json.loads(file.read_text()) for part, file in files.items() if file.is_file()}


def compare_proposals(bench: Bench) -> dict:
    """X1: recall of the best proposals of both kinds, and what detectors make of them."""
    learned, found = [], []
    for seed in range(bench.seeds):
        model = remember_maps(bench.joint(seed))
        learned.append([propose(model, bench.test[i][0], MANY) for i in range(len(bench.test))])
        found.append(detect_with(bench, seed, model, learned[-1]))
    kinds = {"learned": learned, "selective search": [bench.searched]}
    base, rows = [one[DETECTORS[0]] for one in found], []
    for case in DETECTORS:
        row = bench.row([one[case] for one in found], None if case == DETECTORS[0] else base)
        rows.append(dict(zip(("detector", "proposals", "count"), case, strict=True)) | row)
    means = {name: sum(map(len, sum(runs, []))) / len(sum(runs, [])) for name, runs in kinds.items()}
    recall = {
        name: {iou: recall_curve(bench, runs, float(iou)) for iou in ("0.5", "0.7")} for name, runs in kinds.items()
    }
    base_name = ", ".join(map(str, DETECTORS[0]))
    return {"counts": COUNTS, "recall": recall, "proposals a picture": means, "base": base_name, "rows": rows}


def detect_with(bench: Bench, seed: int, model, learned: list[Tensor]) -> dict[tuple, Detections]:
    """What both detectors of a seed find with each set of proposals."""
    models = {"fast_rcnn": remember_maps(bench.fast_rcnn(seed)), "faster_rcnn": model}
    kinds, found = {"learned": learned, "selective search": bench.searched}, {}
    for detector, which, count in DETECTORS:
        first = None if count == "all" else count
        some = [boxes[:first] for boxes in kinds[which]]
        name = f"{detector} {which} {count}"
        found[detector, which, count] = bench.found_with(name, models[detector], lambda i, _, some=some: some[i], seed)
    return found


def recall_curve(bench: Bench, runs: list[list[Tensor]], iou: float) -> dict[str, list[float]]:
    """Recall of the best 10, 30, ... of each picture's proposals: the mean over the runs, the least and the most."""
    curves = [[float(proposal_recall([p[:k] for p in boxes], bench.targets, [iou])) for k in COUNTS] for boxes in runs]
    points = list(zip(*curves, strict=True))
    return {"mean": [sum(p) / len(p) for p in points], "from": [min(p) for p in points], "to": [max(p) for p in points]}


def compare_sharing(bench: Bench) -> dict:
    """X3: the two networks after step 2 of the alternating training, and the one that steps 3 and 4 make of them."""
    found, recalls = {"unshared": [], "shared": []}, {"unshared": [], "shared": []}
    for seed in range(bench.seeds):
        (rpn, detector), joined = bench.unshared(seed), remember_maps(bench.alternating(seed))
        separate = bench.proposals("unshared", rpn, seed)
        recalls["unshared"].append(bench.recalls(separate))
        found["unshared"].append(bench.found_with("unshared", detector, lambda i, _, some=separate: some[i], seed))
        recalls["shared"].append(bench.recalls(bench.proposals("alternating", joined, seed)))
        found["shared"].append(bench.found_by("alternating", joined, seed))
    seconds = kept(bench.out / "X3_seconds.json", lambda: time_sharing(bench))
    rows = {
        "unshared": bench.row(found["unshared"], None, recalls["unshared"]),
        "shared": bench.row(found["shared"], found["unshared"], recalls["shared"]),
    }
    return {"base": "unshared", "rows": {name: row | {"seconds": seconds[name]} for name, row in rows.items()}}


def compare_trainings(bench: Bench) -> dict:
    """X7: the joint and the alternating training, processor seconds and what came of them."""
    rows, base = {}, None
    for name, recipe in TRAININGS.items():
        found, more = [], []
        for seed in range(bench.seeds):
            model, note = bench.trained(recipe, seed)
            remember_maps(model)
            found.append(bench.found_by(name, model, seed))
            more.append(bench.recalls(bench.proposals(name, model, seed)) | note)
        rows[name] = bench.row(found, base, more)
        base = found
    return {"base": "joint", "rows": rows}


PARTS = {
    "X7": compare_trainings,
    "X1": compare_proposals,
    "X2": time_proposals,
    "X3": compare_sharing,
    "X4": take_away,
    "speed": time_systems,
    "X5": compare_anchors,
    "X6": compare_lambdas,
}

if __name__ == "__main__":
    main()
