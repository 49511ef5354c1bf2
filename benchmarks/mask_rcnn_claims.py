"""Mask R-CNN on the scenes: claims M1 to M6 of the paper, and keypoints.

    python benchmarks/mask_rcnn_claims.py --out runs/mask_rcnn_claims
    python benchmarks/mask_rcnn_claims.py --out runs/mask_rcnn_claims --train-only --seed 1 --threads 1
    python benchmarks/mask_rcnn_claims.py --out runs/mask_rcnn_claims --no-training --only M6 keypoints

M1 to M5 compare short trainings at one size, several seeds each; M3 also the two models that ship, M6 their time with
and without the mask branch, the last part the model with keypoints that ships. Trainings and tables are kept in OUT and
not made again: an interrupted run goes on. Two processes may fill one OUT, each with seeds or variants of its own.
After each part data/measurements/mask_rcnn.json, which notebooks 13 to 15 read, is written from all parts that are
there.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import torch
from fast_rcnn_claims import kept
from harness import how_made
from mask_rcnn_parts import KINDS, NUMBERS, RESAMPLES, MaskBench
from mask_rcnn_shipped import compare_shipped, measure_keypoints, time_masks
from mask_rcnn_variants import (
    VARIANTS,
    compare_branches,
    compare_losses,
    compare_maps,
    compare_poolings,
    compare_tasks,
)

from rcnn_lite.cache import write_atomically
from rcnn_lite.checkpoints import checkpoint_path
from rcnn_lite.evaluation.coco import AREA_RANGES
from rcnn_lite.paths import data_path

TABLES = {
    "M1": compare_poolings,
    "M2": compare_losses,
    "M3": compare_maps,
    "M4": compare_tasks,
    "M5": compare_branches,
}
SHIPPED = {  # parts that look at models that ship, under these names
    "M3 shipped": (compare_shipped, ("mask_rcnn_scenes", "mask_rcnn_fpn_scenes")),
    "M6": (time_masks, ("mask_rcnn_scenes", "mask_rcnn_fpn_scenes")),
    "keypoints": (measure_keypoints, ("keypoint_rcnn_scenes",)),
}


def main() -> None:
    """The trainings and parts asked for, and the file that they make."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--only", nargs="+", choices=[*TABLES, *SHIPPED], help="parts (default: all)")
    parser.add_argument("--seeds", type=int, default=3, help="of each short training (default: %(default)s)")
    parser.add_argument("--iterations", type=int, default=400, help="of a short training (default: %(default)s)")
    parser.add_argument("--side", type=int, default=384, help="of its pictures (default: %(default)s)")
    parser.add_argument("--images", type=int, help="the first N scenes of each split only, to try the script")
    parser.add_argument("--train-only", action="store_true", help="short trainings and nothing else")
    parser.add_argument("--seed", type=int, nargs="+", help="with --train-only: of these seeds (default: all)")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, help="with --train-only: these (default: all)")
    parser.add_argument("--no-training", action="store_true", help="leave out what is not trained yet")
    parser.add_argument("--threads", type=int, default=2, help="(default: %(default)s)")
    parser.add_argument("--result", type=Path, default=data_path("measurements/mask_rcnn.json"))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    bench = MaskBench(args.out, args.images, args.iterations, args.side, args.seeds, not args.no_training)
    bench.claim()
    if args.train_only:
        for seed in args.seed or range(args.seeds):
            for variant in args.variants or VARIANTS:
                bench.short(variant, seed)
        return
    for part in args.only or [*TABLES, *SHIPPED]:
        print(f"{part} {time.strftime('%H:%M:%S')}", flush=True)
        if part in TABLES:
            TABLES[part](bench)  # trains what is missing
        elif part_there(part):
            make, _ = SHIPPED[part]
            kept(part_file(bench, part), lambda make=make: make(bench))
        write(args.result, bench)


def part_file(bench: MaskBench, part: str) -> Path:
    """Where the table of a part that looks at models that ship is kept."""
    return bench.out / f"{part.replace(' ', '_')}.json"


def part_there(part: str) -> bool:
    """Whether the models that a part looks at are there."""
    return all(checkpoint_path(name).is_file() for name in SHIPPED[part][1])


def write(file: Path, bench: MaskBench) -> None:
    """All parts that are there, and how they were made."""
    only_kept = MaskBench(bench.out, bench.images, bench.iterations, bench.side, bench.seeds, training=False)
    tables = {part: table for part, make in TABLES.items() if (table := make(only_kept))}
    files = {part: part_file(bench, part) for part in SHIPPED}
    tables |= {part: json.loads(one.read_text()) for part, one in files.items() if one.is_file()}
    if "M3 shipped" in tables:
        tables["M3"] = tables.get("M3", {}) | {"shipped": tables.pop("M3 shipped")}
    if "M6" in tables and (training := training_seconds(only_kept)):
        tables["M6"]["training"] = training
    text = json.dumps(heading(bench) | tables, indent=1)
    write_atomically(file, lambda temporary: temporary.write_text(text + "\n"))


def heading(bench: MaskBench) -> dict:
    """How the measurements were made."""
    areas = [area for i in range(len(bench.test)) for area in bench.test[i][1]["area"].tolist()]
    objects = {name: sum(low <= a <= high for a in areas) for name, (low, high) in AREA_RANGES.items()}
    return {
        **how_made("mask_rcnn_claims.py"),
        "data": {"train": bench.train.fingerprint, "test": bench.test.fingerprint},
        "settings": {
            "train images": len(bench.train),
            "test images": len(bench.test),
            "objects": objects,
            "short trainings": {"iterations": bench.iterations, "side": bench.side, "seeds": bench.seeds},
            "resamples": RESAMPLES,
            "numbers": [f"{kind} {key}" for kind in KINDS for key in NUMBERS],
        },
    }


def training_seconds(bench: MaskBench) -> dict | None:
    """M6 in training: processor seconds of the short trainings with and without the mask branch."""
    pairs = list(zip(bench.runs("no_masks"), bench.runs("base"), strict=False))
    seconds = [(a["processor seconds"], b["processor seconds"]) for a, b in pairs]
    seconds = [(a, b) for a, b in seconds if a and b]  # neither was interrupted
    if not seconds:
        return None
    without, with_masks = (statistics.fmean(column) for column in zip(*seconds, strict=True))
    return {"without": without, "with": with_masks, "share": with_masks / without - 1, "runs": len(seconds)}


if __name__ == "__main__":
    main()
