"""Faster R-CNN on the scenes: learned proposals against selective search, and claims X1 to X7.

    python benchmarks/faster_rcnn_claims.py --out runs/faster_rcnn_claims
    python benchmarks/faster_rcnn_claims.py --out runs/faster_rcnn_claims --only X5 X6 --seeds 3

Trains what is missing in OUT, one after another: the joint model and the alternating one as they ship, and for X5 and
X6 short trainings at one size, several seeds each. Models, detections and tables are kept in OUT and not made again: an
interrupted run goes on. After each part data/measurements/faster_rcnn.json, which notebook 12 reads, is written from
all parts that are there. A training time is only right if the training was not interrupted; otherwise it is left out.
"""

import argparse
import datetime
import json
import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
from fast_rcnn_claims import kept
from faster_rcnn_parts import REGION_WISE, Bench, medians, propose, stage_seconds
from faster_rcnn_variants import compare_anchors, compare_lambdas, take_away
from harness import cpu_model, threads, versions
from rcnn_parts import RESAMPLES
from tqdm import tqdm

from rcnn_lite.cache import write_atomically
from rcnn_lite.evaluation import proposal_recall
from rcnn_lite.images import resize
from rcnn_lite.models.fast_rcnn import FastRCNN
from rcnn_lite.paths import data_path
from rcnn_lite.proposals.rpn import ProposalCounts

COUNTS = (10, 30, 50, 100, 200, 300, 500, 1000)  # proposals looked at, for recall
MANY = ProposalCounts(6000, 1000)


def main() -> None:
    """The parts asked for, and the file that they make."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts, in this order")
    parser.add_argument("--seeds", type=int, default=2, help="of each short training (default: %(default)s)")
    parser.add_argument("--iterations", type=int, default=800, help="of a short training (default: %(default)s)")
    parser.add_argument("--sides", type=int, nargs="+", default=[384], help="of its pictures (default: 384)")
    parser.add_argument("--images", type=int, help="the first N scenes of each split only, to try the script")
    parser.add_argument("--batches", type=int, help="of the two whole trainings, to try the script")
    parser.add_argument("--fast", default="fast_rcnn_scenes", help="the Fast R-CNN (default: the one that ships)")
    parser.add_argument("--result", type=Path, default=data_path("measurements/faster_rcnn.json"))
    args = parser.parse_args()
    torch.set_num_threads(2)
    bench = Bench(args.out, args.images, args.batches, args.iterations, tuple(args.sides), args.fast)
    bench.claim()
    for part in args.only:
        print(f"{part} {time.strftime('%H:%M:%S')}", flush=True)
        kept(bench.out / file_of(part, bench, args.seeds), lambda part=part: PARTS[part](bench, args.seeds))
        text = json.dumps(result(bench, args.seeds), indent=1)
        write_atomically(args.result, lambda file, text=text: file.write_text(text + "\n"))
    print(text)


def file_of(part: str, bench: Bench, seeds: int) -> str:
    """Where a part's table is kept; of short trainings there may be several sets."""
    short = "_".join(map(str, (seeds, bench.iterations, *bench.sides)))
    return f"{part}_{short}.json" if part in ("X5", "X6") else f"{part}.json"


def result(bench: Bench, seeds: int) -> dict:
    """All parts that are there, and how they were made."""
    files = {part: bench.out / file_of(part, bench, seeds) for part in PARTS}
    short = {"iterations": bench.iterations, "sides": bench.sides, "seeds": seeds}
    return {
        "command": f"python benchmarks/faster_rcnn_claims.py {shlex.join(sys.argv[1:])}",
        "date": datetime.date.today().isoformat(),
        "machine": f"{cpu_model()}, {threads()}, {versions(('torch', 'numba'))}",
        "data": {"train": bench.train.fingerprint, "test": bench.test.fingerprint},
        "settings": {
            "train images": len(bench.train),
            "test images": len(bench.test),
            "short trainings": short,
            "resamples": RESAMPLES,
        },
    } | {part: json.loads(file.read_text()) for part, file in files.items() if file.is_file()}


def compare_proposals(bench: Bench, seeds: int) -> dict:
    """X1: recall of the best proposals of both kinds, and what detectors make of them."""
    learned = [propose(bench.joint, bench.test[i][0], MANY) for i in range(len(bench.test))]
    both = {"learned": learned, "selective search": bench.searched}
    recall = {
        name: {
            iou: [float(proposal_recall([p[:k] for p in boxes], bench.targets, [float(iou)])) for k in COUNTS]
            for iou in ("0.5", "0.7")
        }
        for name, boxes in both.items()
    }
    cases = [("fast_rcnn", "selective search", "all"), ("fast_rcnn", "selective search", 300)]
    cases += [("faster_rcnn", "learned", count) for count in (50, 100, 300)]
    cases += [("faster_rcnn", "selective search", "all"), ("faster_rcnn", "selective search", 300)]
    rows, base = [], None
    for detector, which, count in cases:
        model = bench.fast_rcnn if detector == "fast_rcnn" else bench.joint
        proposals = both[which] if count == "all" else [boxes[:count] for boxes in both[which]]
        found = [bench.found_with(f"{detector} {which} {count}", model, proposals)]
        rows.append({"detector": detector, "proposals": which, "count": count} | bench.row(found, base))
        base = base or found
    means = {name: sum(map(len, boxes)) / len(boxes) for name, boxes in both.items()}
    base_name = ", ".join(map(str, cases[0]))
    return {"counts": COUNTS, "recall": recall, "proposals a picture": means, "base": base_name, "rows": rows}


@torch.inference_mode()
def time_proposals(bench: Bench, seeds: int) -> dict:
    """X2: seconds for the proposals of a picture, both kinds in turn; the map is there anyway."""
    model, rows = bench.joint, []
    for i in tqdm([0, *range(len(bench.test))], "proposing", disable=None):  # the first warms up
        image, clock = bench.test[i][0], [time.perf_counter()]
        bench.fast_rcnn.propose(image)
        clock.append(time.perf_counter())
        picture = resize(image, model.settings.short_side, model.settings.long_side)
        features = model.features(picture)
        clock.append(time.perf_counter())
        seen = model.rpn(features)
        clock.append(time.perf_counter())
        model.rpn.propose(seen, tuple(picture.shape[1:]), model.settings.rpn.testing)
        clock.append(time.perf_counter())
        search, convolutions, network, layer = (b - a for a, b in zip(clock[:-1], clock[1:], strict=True))
        rows.append({"selective search": search, "convolutions": convolutions, "learned": network + layer})
        rows[-1] |= {"of it the network": network, "of it the proposal layer": layer}
    return {"seconds": medians(rows[1:])}


def compare_sharing(bench: Bench, seeds: int) -> dict:
    """X3: the two networks after step 2 of the alternating training, and the one that steps 3 and 4 make of them."""
    rpn, detector = bench.unshared()
    separate, shared = bench.proposals(rpn), bench.proposals(bench.alternating)
    found = {
        "unshared": [bench.found_with("unshared", detector, separate)],
        "shared": [bench.found("alternating", lambda i, image: bench.alternating.detect([image])[0])],
    }
    rows = {
        "unshared": bench.row(found["unshared"]) | bench.recalls(separate),
        "shared": bench.row(found["shared"], found["unshared"]) | bench.recalls(shared),
    }
    seconds = []
    for i in [0, *range(len(bench.test))]:
        image, start = bench.test[i][0], time.perf_counter()
        detector.detect([image], [rpn.propose(image)[0]])
        between = time.perf_counter()
        bench.alternating.detect([image])
        seconds.append({"unshared": between - start, "shared": time.perf_counter() - between})
    for name, value in medians(seconds[1:]).items():
        rows[name]["seconds"] = value
    return {"base": "unshared", "rows": rows}


def compare_trainings(bench: Bench, seeds: int) -> dict:
    """X7: the joint and the alternating training, processor seconds and what came of them."""
    rows, base = {}, None
    for name in ("joint", "alternating"):
        recipe = {"joint": "faster_rcnn", "alternating": "faster_rcnn_alternating"}[name]
        model, note = bench.trained(recipe)
        found = [bench.found(name, lambda i, image, model=model: model.detect([image])[0])]
        rows[name] = bench.row(found, base) | bench.recalls(bench.proposals(model)) | note
        base = found
    return {"base": "joint", "rows": rows}


def time_systems(bench: Bench, seeds: int) -> dict:
    """The paper's table 5: seconds a picture for the convolutions, the proposals, and what is done for each region."""
    systems = {
        ("selective search + Fast R-CNN", "all"): (bench.fast_rcnn, None),
        ("selective search + Fast R-CNN", 300): (bench.fast_rcnn, 300),
        ("Faster R-CNN", 300): (bench.joint, 300),
        ("Faster R-CNN", 100): (bench.joint, 100),
    }
    times = {key: [] for key in systems}
    for i in tqdm([0, *range(len(bench.test))], "taking turns", unit="image", disable=None):
        for key, (model, count) in systems.items():
            work = lambda model=model, count=count, i=i: run(model, bench.test[i][0], count)  # noqa: E731
            total = stage_seconds(model.watch, ["convolutions", "proposals", *REGION_WISE], work)
            parts = {"conv": model.watch.seconds["convolutions"], "proposal": model.watch.seconds["proposals"]}
            times[key].append(parts | {"region-wise": total - sum(parts.values()), "total": total})
    rows = []
    for (system, count), values in times.items():
        row = medians(values[1:])
        rows.append({"system": system, "proposals": count} | row | {"rate": round(1 / row["total"], 1)})
    return {"rows": rows}


def run(model, image, count: int | None) -> None:
    """One picture from its pixels to detections, with so many proposals."""
    if isinstance(model, FastRCNN):
        model.detect([image], [model.propose(image)[:count]])
        return
    usual = model.settings
    testing = usual.rpn.testing._replace(after_nms=count)
    model.settings = replace(usual, rpn=replace(usual.rpn, testing=testing))
    model.detect([image])
    model.settings = usual


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
