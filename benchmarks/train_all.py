"""Every checkpoint of the course, and the scoreboard's numbers, with one command.

    python benchmarks/train_all.py                                       what `make train` does: seed 0, two at a time
    python benchmarks/train_all.py --dry-run                             what there is to do, and what is done
    python benchmarks/train_all.py --out runs/seeds --seed 1 --only rcnn sppnet

Each training is a process of its own with one thread: two of them side by side use two cores better than one with two
threads. What is done is not made again, and an interrupted training goes on where it last saved its state. Output of a
training goes to OUT/logs; a line is printed when one starts, after each tenth of its batches, and when it ends.
Afterwards `scoreboard.py` measures what was trained and writes OUT/scoreboard.json. Nothing that ships is touched,
unless --install copies the checkpoints to data/checkpoints and the scoreboard to data/measurements.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from train_steps import TRAININGS, Run

from rcnn_lite.cache import write_atomically
from rcnn_lite.paths import data_path

ROOT = Path(__file__).resolve().parents[1]


def main(argv: list[str] | None = None) -> int:
    """0 if all is done, 1 if a training failed."""
    args = parse(argv)
    runs = [Run(TRAININGS[name], args.seed, args.out, args.images, args.batches) for name in args.only or TRAININGS]
    if args.dry_run:
        print(plan(runs))
        return 0
    if args.here:
        for run in runs:
            run.make(args.keep_features)
        return 0
    if failed := train(runs, args):
        print(f"failed: {', '.join(failed)}; see {args.out / 'logs'}. The same command goes on from there.")
        return 1
    if not args.no_scoreboard:
        command = [sys.executable, str(ROOT / "benchmarks" / "scoreboard.py"), "--trained", str(args.out)]
        command += ["--result", str(args.out / "scoreboard.json"), "--out", str(args.out / "scoreboard")]
        command += ["--retrained", "--seeds", str(args.seed + 1)] + (
            ["--images", str(args.images)] if args.images else []
        )
        subprocess.run(command, check=True, env=environment(args.threads))
    if args.install:
        install(runs, args.out / "scoreboard.json")
    return 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/train"), help="folder (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of weights and draws (default: %(default)s)")
    parser.add_argument("--only", nargs="+", choices=TRAININGS, metavar="NAME", help=f"some of {', '.join(TRAININGS)}")
    parser.add_argument("--jobs", type=int, default=2, help="trainings at a time (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="of each training (default: %(default)s)")
    parser.add_argument("--images", type=int, help="the first N scenes of each split only, to try the script")
    parser.add_argument("--batches", type=int, help="of each training, to try the script")
    parser.add_argument("--keep-features", action="store_true", help="leave the gigabytes that SVMs were fitted to")
    parser.add_argument("--no-scoreboard", action="store_true", help="train, and measure nothing beyond")
    parser.add_argument("--install", action="store_true", help="let what was made ship: copy it to data/")
    parser.add_argument("--dry-run", action="store_true", help="say what there is to do, and do nothing")
    parser.add_argument("--here", action="store_true", help="in this process, one after another")
    return parser.parse_args(argv)


def plan(runs: list[Run]) -> str:
    """What there is to do, with the processor seconds that each took on the machine of the scoreboard."""
    known, lines, left = expected(), [], 0.0
    for run in runs:
        seconds = known.get(run.training.name)
        left += 0 if run.done() else seconds or 0
        state = "done" if run.done() else "begun" if run.folder.exists() else "to do"
        lines.append(f"{run.name:32} {state:6} {f'{seconds:.0f} s' if seconds else '?':>7}  {run.checkpoint}")
    return "\n".join(
        [*lines, f"left: {left:.0f} processor seconds as far as known, {left / 120:.0f} minutes on two cores"]
    )


def expected() -> dict[str, float]:
    """Processor seconds by training, as the scoreboard that ships has them."""
    file = data_path("measurements/scoreboard.json")
    return json.loads(file.read_text(encoding="utf-8"))["training"] if file.is_file() else {}


def train(runs: list[Run], args: argparse.Namespace) -> list[str]:
    """Make what is missing, some at a time; the names of those that failed."""
    missing = [run for run in runs if not run.done()]
    print(f"{len(runs) - len(missing)} of {len(runs)} trainings are there; {args.jobs} at a time", flush=True)
    start, failed = time.perf_counter(), []

    def work(run: Run) -> None:
        say(start, f"{run.name} begins")
        done = train_one(run, args, lambda line: say(start, line)) == 0 and run.done()
        cost = json.loads(run.note.read_text(encoding="utf-8")) if done else {}
        said = f"done: mAP {cost['mAP']}, {cost['processor seconds']} processor seconds" if done else "FAILED"
        say(start, f"{run.name} {said}; {left(missing, args)}")
        if not done:
            failed.append(run.name)

    with ThreadPoolExecutor(args.jobs) as pool:
        list(pool.map(work, missing))
    return failed


def left(runs: list[Run], args: argparse.Namespace) -> str:
    """How much is still to be made, and how long that takes if each has a core of this speed."""
    known, waiting = expected(), [run for run in runs if not run.done()]
    seconds = sum(known.get(run.training.name, 0.0) for run in waiting)
    whole = "" if args.images or args.batches else f", about {seconds / 60 / args.jobs:.0f} min"
    return f"{len(waiting)} left{whole}"


def say(start: float, what: str) -> None:
    """A line with the minutes since the start."""
    print(f"{(time.perf_counter() - start) / 60:6.1f} min  {what}", flush=True)


def train_one(run: Run, args: argparse.Namespace, tell: Callable[[str], None]) -> int:
    """One training in a process of its own; its exit status. `tell` gets what the training says of itself."""
    log = run.out / "logs" / f"{run.name}.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, __file__, *run.arguments(), "--here"]
    command += ["--keep-features"] if args.keep_features else []
    channels = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "encoding": "utf-8", "errors": "replace"}
    with log.open("a", encoding="utf-8") as file:
        with subprocess.Popen(command, **channels, env=environment(args.threads)) as process:
            for line in process.stdout:
                file.write(line)
                file.flush()
                if line.startswith(run.name):
                    tell(line.rstrip())
        return process.returncode


def environment(threads: int) -> dict[str, str]:
    """This process's, with the package to be found and so many threads."""
    count = {name: str(threads) for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")}
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return os.environ | count | {"OMP_WAIT_POLICY": "passive", "PYTHONPATH": path}


def install(runs: list[Run], scoreboard: Path) -> None:
    """Let checkpoints and scoreboard ship. ValueError for a seed that is not the shipped one's, or a small trial."""
    for run in runs:
        if run.seed or run.images or run.batches:
            raise ValueError(f"{run.name} cannot ship: only whole trainings of seed 0 do")
    for run in runs:
        target = data_path(f"checkpoints/{run.training.ships_as}.safetensors")
        write_atomically(target, lambda file, run=run: shutil.copyfile(run.checkpoint, file))
    if scoreboard.is_file():
        write_atomically(data_path("measurements/scoreboard.json"), lambda file: shutil.copyfile(scoreboard, file))


if __name__ == "__main__":
    sys.exit(main())
