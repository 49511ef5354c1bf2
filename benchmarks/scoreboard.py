"""The scoreboard: all detectors of the course on the same test scenes, by the same evaluator.

    python benchmarks/scoreboard.py --out runs/scoreboard
    python benchmarks/scoreboard.py --out runs/train/scoreboard --trained runs/train --result runs/train/scoreboard.json

Of seed 0 it measures what ships, of seeds 1 and 2 the trainings that are found in the folders TRAINED (`train_all.py`
and `faster_rcnn_claims.py` make them); with --retrained also of seed 0. A row says how many seeds it has. mAP is VOC's,
by both its rules, AP and AR are COCO's; recall is that of the regions that the detector looks at. Seconds are processor
seconds of one thread, because machines are shared: the median over the pictures of each stage. Training times are the
processor seconds of all threads, where the trainings noted them. Each measurement leaves a file in OUT and is not made
again. With --variants also what four claims ask for, on the same trainings. The result is
data/measurements/scoreboard.json, which notebook 16 reads.
"""

import argparse
import hashlib
import json
import statistics
from pathlib import Path

import torch
from fast_rcnn_claims import kept
from harness import how_made
from rcnn_parts import RESAMPLES
from scoreboard_parts import SYSTEMS, VARIANTS, Places, System, Variant, measure
from train_steps import TRAININGS

from rcnn_lite.cache import write_atomically
from rcnn_lite.datasets.scenes import Scenes
from rcnn_lite.paths import data_path

FOLDERS = (Path("runs/seeds"), Path("runs/train"), Path("runs/faster_rcnn_claims"), Path("runs/fast_rcnn_claims"))
BASE = "rcnn"
QUICK_FIRST = sorted(SYSTEMS, key=lambda system: (system.name == BASE, system.name == "hog"))


def main(argv: list[str] | None = None) -> None:
    """All measurements, and the file that they make."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/scoreboard"), help="folder (default: %(default)s)")
    parser.add_argument("--trained", type=Path, nargs="+", default=FOLDERS, help="folders of trainings")
    parser.add_argument("--retrained", action="store_true", help="seed 0 from there, too, not what ships")
    parser.add_argument("--seeds", type=int, default=3, help="seeds 0 to N - 1 (default: %(default)s)")
    parser.add_argument("--only", nargs="+", choices=[system.name for system in SYSTEMS], help="(default: all)")
    parser.add_argument("--variants", action="store_true", help="also those of claims F4, F7, R1 and R3")
    parser.add_argument("--images", type=int, help="the first N test scenes, to try the script")
    parser.add_argument("--no-measuring", action="store_true", help="leave out what is not measured yet")
    parser.add_argument("--result", type=Path, default=data_path("measurements/scoreboard.json"))
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    board = Board(args.out, Places(tuple(args.trained), not args.retrained), Scenes("test", n=args.images), args.seeds)
    chosen = [one for one in QUICK_FIRST if not args.only or one.name in args.only]
    chosen += [one for one in VARIANTS if args.variants and (not args.only or one.of.name in args.only)]
    for seed in range(args.seeds):
        for one in chosen if not args.no_measuring else ():
            board.run(one, seed)
            write_atomically(args.result, lambda file: file.write_text(board.text(argv), encoding="utf-8"))
    write_atomically(args.result, lambda file: file.write_text(board.text(argv), encoding="utf-8"))


class Board:
    """The test scenes, the trainings, and the folder where what was measured is kept."""

    def __init__(self, out: Path, places: Places, test: Scenes, seeds: int):
        self.out, self.places, self.test, self.seeds = out, places, test, seeds

    def file(self, one: System | Variant, seed: int) -> Path | None:
        """Where its measurement is kept, under a name that changes with the training; None without the training."""
        if checkpoint := self.checkpoint(one, seed):
            digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()[:8]
            return self.out / f"{one.name}_seed_{seed}_{digest}_of_{len(self.test)}.json"
        return None

    def checkpoint(self, one: System | Variant, seed: int) -> Path | None:
        return self.places.checkpoint(one.of if isinstance(one, Variant) else one, seed)

    def run(self, one: System | Variant, seed: int) -> None:
        """Measure what a training reaches, if there is one and its file is not there."""
        if file := self.file(one, seed):
            change = (one.change,) if isinstance(one, Variant) else ()
            kept(file, lambda: measure(self.checkpoint(one, seed), self.test, f"{one.name} {seed}", *change))

    def runs(self, one: System | Variant) -> dict[int, dict]:
        """What is measured, by seed."""
        files = {seed: self.file(one, seed) for seed in range(self.seeds)}
        there = {seed: file for seed, file in files.items() if file and file.is_file()}
        return {seed: json.loads(file.read_text(encoding="utf-8")) for seed, file in there.items()}

    def row(self, system: System, base: dict[int, dict]) -> dict | None:
        """A line of the table; None if nothing of it is measured."""
        if not (runs := self.runs(system)):
            return None
        row = {"name": system.name, "title": system.title, "notebook": system.notebook} | summary(runs)
        each = next(iter(runs.values()))
        row["training processor seconds"] = [self.places.cost(system, seed) for seed in runs]
        row |= {key: each[key] for key in ("parameters", "bytes of checkpoint")}
        return row if system.name == BASE else row | gain(runs, base, f"gain over {BASE}")

    def variant(self, one: Variant) -> dict | None:
        """What a change makes of a detector; None if it is not measured."""
        if not (runs := self.runs(one)):
            return None
        base = one.base or one.of
        row = {"name": one.name, "of": one.of.name, "against": base.name, "claim": one.claim}
        return row | summary(runs) | gain(runs, self.runs(base))

    def text(self, argv: list[str] | None) -> str:
        """The whole file."""
        base = self.runs(next(system for system in SYSTEMS if system.name == BASE))
        rows = [row for system in SYSTEMS if (row := self.row(system, base))]
        heading = how_made("scoreboard.py", argv) | {
            "data": self.test.fingerprint,
            "test images": len(self.test),
            "resamples": RESAMPLES,
        }
        variants = [row for one in VARIANTS if (row := self.variant(one))]
        document = heading | {"training": self.training(), "rows": rows, "variants": variants}
        return json.dumps(document, indent=1) + "\n"

    def training(self) -> dict[str, float]:
        """Processor seconds of a training, by name: means over the seeds of which they are known."""
        costs = {}
        for name, training in TRAININGS.items():
            known = [self.places.cost(System(name, "", training.ships_as, 0), seed) for seed in range(self.seeds)]
            if known := [seconds for seconds in known if seconds]:
                costs[name] = round(statistics.fmean(known), 1)
        return costs


def summary(runs: dict[int, dict]) -> dict:
    """What the seeds reach, and how long they take: each by itself, and the means."""
    each = list(runs.values())
    figures, stages = [run["figures"] for run in each], [run["seconds"] for run in each]
    return {
        "seeds": list(runs),
        "runs": figures,
        "mean": means(figures),
        "from .. to": {key: [min(values), max(values)] for key, values in columns(figures).items()},
        "seconds": means(stages),
        "seconds of each seed": stages,
        "total seconds": [run["total seconds"] for run in each],
    }


def means(rows: list[dict]) -> dict[str, float]:
    """By key, the mean of what the rows have there."""
    return {key: round(statistics.fmean(values), 5) for key, values in columns(rows).items()}


def columns(rows: list[dict]) -> dict[str, list]:
    """By key, what the rows have there; keys that some lack are left out."""
    return {key: [row[key] for row in rows] for key in rows[0] if all(key in row for row in rows)}


def gain(runs: dict[int, dict], base: dict[int, dict], name: str = "gain") -> dict:
    """{name: interval} over the seeds that both have; nothing where there is none."""
    both = sorted(set(runs) & set(base))
    return {name: interval([runs[s] for s in both], [base[s] for s in both]) | {"seeds": len(both)}} if both else {}


def interval(runs: list[dict], base: list[dict]) -> dict[str, list[float]]:
    """The middle 95 % of the gain of mAP over other sets of scenes that might have been drawn, means over the runs."""
    draws = [torch.tensor([run["draws"] for run in each]).double().mean(dim=0) for each in (runs, base)]
    bounds = (draws[0] - draws[1]).quantile(torch.tensor([0.025, 0.975]).double())
    return {"mAP": [round(value, 5) for value in bounds.tolist()]}


if __name__ == "__main__":
    main()
