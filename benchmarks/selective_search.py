"""Segmentation and selective search against OpenCV contrib's, in time and in quality, on 100 photographs of PASCAL VOC.

The photographs are not part of the project: RCNN_LITE_REAL_DATA names the folder that has voc100/ (default:
../shared/data beside the repository). The peer makes its own virtual environment under build/ (opencv_contrib.py).
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from harness import Comparison, summarise, write_table
from opencv_contrib import Peer

from rcnn_lite.datasets.voc import VOCDataset
from rcnn_lite.evaluation import best_overlaps, mean_average_best_overlap, proposal_recall
from rcnn_lite.images import read_image
from rcnn_lite.proposals import selective_search as ours
from rcnn_lite.proposals.segmentation import felzenszwalb

THREADS = 2
SEGMENTATION = {"scale": 100.0, "sigma": 0.8, "min_size": 100}

NOTE = """Each photograph is searched by both sides in turn (ours, OpenCV's, ours, ...); a pair is one photograph.
Peer: `cv2.ximgproc.segmentation` of OpenCV contrib {version}, {threads} threads, in a process of its own, timed there
without the transfer. Objects marked difficult are left out: {objects} objects remain. "The first n" are as many of our
boxes, best first, as OpenCV found in the same photograph; "at most" is the same limit for every photograph. MABO is the
mean over the classes (Uijlings 2013), ABO the mean over all objects.

OpenCV departs from the paper: k is 150, 300, 450 (fast) or 150 .. 750 (quality), segments have at least 100 pixels, the
graph joins 4 neighbours, hierarchies are ranked from the smallest regions up, no box is too small, and rgI has R and G
themselves. We use the paper's k, segments of at least k pixels as its authors' code does, 8 neighbours, and drop boxes
with a side below 1/32 of the picture's longer one.

| boxes | a picture | MABO | recall at IoU 0.5 | at 0.7 | ABO |
|---|---:|---:|---:|---:|---:|
{quality}"""

LIMITS = {"fast": 1500, "quality": 5000}
"""Fixed numbers of boxes, below OpenCV's average in each mode."""


def photographs() -> tuple[list[np.ndarray], list[dict]]:
    """The pictures and their targets."""
    folder = Path(os.environ.get("RCNN_LITE_REAL_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
    dataset = VOCDataset(folder / "voc100")
    images = [read_image(dataset.root / "JPEGImages" / f"{name}.jpg") for name in dataset.names]
    return images, [dataset.target(i) for i in range(len(dataset))]


def in_turns(
    name: str, images: list[np.ndarray], function: Callable[[np.ndarray], object], peer: Callable
) -> tuple[Comparison, list, list]:
    """Times both on each picture, one after the other: the comparison, our answers, the peer's answers."""
    function(images[0])  # compiles
    seconds, answers = ([], []), ([], [])
    for image in images:
        start = time.perf_counter()
        answers[0].append(function(image))
        seconds[0].append(time.perf_counter() - start)
        taken, answer = peer(image)
        seconds[1].append(taken)
        answers[1].append(torch.from_numpy(answer))
    return summarise(name, *seconds), *answers


def quality_row(name: str, proposals: list[torch.Tensor], targets: list[dict]) -> str:
    """A line of the table of quality."""
    recall = proposal_recall(proposals, targets, [0.5, 0.7]).tolist()
    count = np.mean([len(boxes) for boxes in proposals])
    mabo = mean_average_best_overlap(proposals, targets)
    abo = best_overlaps(proposals, targets)[0].mean()
    return f"| {name} | {count:,.0f} | {mabo:.3f} | {recall[0]:.3f} | {recall[1]:.3f} | {abo:.3f} |"


def main() -> None:
    torch.set_num_threads(THREADS)
    cv2.setNumThreads(THREADS)
    ours.THREADS = THREADS
    images, targets = photographs()
    rows, quality = [], []
    with Peer(THREADS) as peer:
        timing, *labels = in_turns(
            "graph segmentation, k = 100",
            images,
            lambda image: felzenszwalb(image, **SEGMENTATION),
            lambda image: peer.ask("segmentation", image, **SEGMENTATION),
        )
        rows.append(timing)
        segments = [np.mean([found.max() + 1 for found in side]) for side in labels]
        for mode in ("fast", "quality"):
            timing, boxes, theirs = in_turns(
                f"selective search, {mode}",
                images,
                lambda image, mode=mode: ours.selective_search(image, mode),
                lambda image, mode=mode: peer.ask(mode, image),
            )
            rows.append(timing)
            first = [found[: len(limit)] for found, limit in zip(boxes, theirs, strict=True)]
            limit = LIMITS[mode]
            limited = [found[:limit] for found in boxes]
            quality += [quality_row(f"{mode}: OpenCV", theirs, targets)]
            quality += [quality_row(f"{mode}: ours, the first n", first, targets)]
            quality += [quality_row(f"{mode}: ours, at most {limit:,}", limited, targets)]
            quality += [quality_row(f"{mode}: ours, all", boxes, targets)]
    objects = sum(int((~target["difficult"]).sum()) for target in targets)
    note = NOTE.format(version=peer.version, threads=THREADS, objects=objects, quality="\n".join(quality))
    note += f"\n\nSegments a picture: ours {segments[0]:.0f}, OpenCV's {segments[1]:.0f}."
    write_table("selective_search", "Selective search", rows, note, packages=("opencv-python-headless",))


if __name__ == "__main__":
    main()
