"""Blood cells, from the command line: `rcnn-lite train` on BCCD with nothing chosen by hand.

    OMP_NUM_THREADS=1 python benchmarks/bccd.py --out runs/bccd

Needs the folder of real photographs (RCNN_LITE_REAL_DATA, or ../shared/data; see README, "Test data"): 364 pictures of
blood films in VOC's layout, with splits. What the run folder says is written to data/measurements/bccd.json: what was
chosen for the pictures, losses and AP50 on held-out pictures in the course of the training, average precision of each
class on the test split, processor seconds. An interrupted training goes on when the script is called again.
"""

import argparse
import datetime
import json
import os
import re
import shlex
import time
from pathlib import Path

import torch
from harness import cpu_model, threads, versions

from rcnn_lite.cache import write_atomically
from rcnn_lite.checkpoints import load_checkpoint
from rcnn_lite.cli import main as rcnn_lite
from rcnn_lite.paths import REPOSITORY, data_path


def main() -> None:
    """Train, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--result", type=Path, default=data_path("measurements/bccd.json"))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    folder = Path(os.environ.get("RCNN_LITE_REAL_DATA") or REPOSITORY.parent / "shared" / "data") / "bccd"
    shown = os.path.relpath(folder, REPOSITORY)
    options = ["train", "--model", "faster_rcnn", "--data", f"voc:{shown}", "--out", str(args.out)]
    log = args.out / "log.txt"
    if not (log.is_file() and "  saved as " in log.read_text()):
        timed(lambda: rcnn_lite(options), args.out / "seconds.json")
    result = {
        "command": f"rcnn-lite {shlex.join(options)}",
        "script": f"python benchmarks/bccd.py --out {args.out}",
        "date": datetime.date.today().isoformat(),
        "machine": f"{cpu_model()}, {threads()}, {versions(('torch', 'numba'))}",
        "seconds": json.loads((args.out / "seconds.json").read_text()),
    } | outcome(args.out)
    text = json.dumps(result, indent=1) + "\n"
    write_atomically(args.result, lambda file: file.write_text(text))
    print(text)


def timed(command, file: Path) -> None:
    """Call a command; the seconds that it took, with those of calls before that were interrupted, go into `file`.

    Those of the processor are of all threads: what others do on a shared machine changes the clock's.
    """
    spent = json.loads(file.read_text()) if file.is_file() else {"processor": 0.0, "clock": 0.0}
    start = {"processor": time.process_time(), "clock": time.perf_counter()}
    try:
        if status := command():
            raise SystemExit(status)
    finally:
        now = {"processor": time.process_time(), "clock": time.perf_counter()}
        total = {name: round(spent[name] + now[name] - start[name], 1) for name in now}
        write_atomically(file, lambda temporary: temporary.write_text(json.dumps(total)))


def outcome(run: Path) -> dict:
    """What the folder of a finished run says."""
    config, history = (json.loads((run / name).read_text()) for name in ("config.json", "history.json"))
    _, note = load_checkpoint(run / "best.safetensors")
    metrics = note["metrics"]
    log = (run / "log.txt").read_text()
    return {
        "objects": re.search(r"  (training pictures: .*)", log)[1],
        "chosen": config["chosen"],
        "batches": len(next(iter(history["losses"].values()))),
        "held-out AP50": {int(batch): score for batch, score in history["AP50"].items()},
        "held-out pictures": int(re.search(r" on (\d+) held-out pictures", log)[1]),
        "losses": note["losses"],
        "test pictures": metrics["images"],
        "AP50": metrics["AP"],
        "mAP": metrics["mAP"],
        "COCO": metrics["COCO"],
        "seconds a picture": metrics["seconds"],
    }


if __name__ == "__main__":
    main()
