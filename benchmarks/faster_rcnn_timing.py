"""Where Faster R-CNN's time for a picture goes: claim X2, the paper's table 5, and the seconds of X3 and X4.

Everything is timed with the models of seed 0, in turns, picture by picture: a time does not hang on the seed.
"""

import time
from collections.abc import Callable
from dataclasses import replace

import torch
from fast_rcnn_claims import kept
from faster_rcnn_parts import REGION_WISE, Bench, medians, quartiles, stage_seconds
from tqdm import tqdm

from rcnn_lite.images import resize
from rcnn_lite.models.fast_rcnn import FastRCNN

SYSTEMS = {  # name, proposals
    ("selective search + Fast R-CNN", "all"): None,
    ("selective search + Fast R-CNN", 300): 300,
    ("Faster R-CNN", 300): 300,
    ("Faster R-CNN", 100): 100,
}


def time_proposals(bench: Bench) -> dict:
    """X2: time for the proposals of a picture, both kinds in turn; the map is there anyway.

    Seconds of the clock, with two threads, are medians: on a shared machine their spread is that of the neighbours.
    Processor seconds, with one thread, have quartiles: those are of the pictures.
    """
    clock = kept(bench.out / "X2_seconds.json", lambda: medians(watch_proposals(bench, time.perf_counter)))
    processor = kept(bench.out / "X2_processor.json", lambda: quartiles(watch_alone(bench)))
    return {"seconds": clock, "processor seconds": processor}


def watch_alone(bench: Bench) -> list[dict[str, float]]:
    """`watch_proposals` by the time of one thread; with how many times as fast the learned ones are."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rows = watch_proposals(bench, time.process_time)
    torch.set_num_threads(threads)
    return [row | {"times as fast": row["selective search"] / row["learned"]} for row in rows]


@torch.inference_mode()
def watch_proposals(bench: Bench, now: Callable[[], float]) -> list[dict[str, float]]:
    """For each picture the time of what leads to proposals, by a clock."""
    model, other, rows = bench.joint(), bench.fast_rcnn(), []
    for i in tqdm([0, *range(len(bench.test))], "proposing", disable=None):  # the first warms up
        image, clock = bench.test[i][0], [now()]
        other.propose(image)
        clock.append(now())
        picture = resize(image, model.settings.short_side, model.settings.long_side)
        features = model.features(picture)
        clock.append(now())
        seen = model.rpn(features)
        clock.append(now())
        model.rpn.propose(seen, tuple(picture.shape[1:]), model.settings.rpn.testing)
        clock.append(now())
        search, convolutions, network, layer = (b - a for a, b in zip(clock[:-1], clock[1:], strict=True))
        rows.append({"selective search": search, "convolutions": convolutions, "learned": network + layer})
        rows[-1] |= {"of it the network": network, "of it the proposal layer": layer}
    return rows[1:]


def time_sharing(bench: Bench) -> dict[str, float]:
    """X3: seconds a picture of the two networks that share nothing, and of the one."""
    (rpn, detector), shared, rows = bench.unshared(), bench.alternating(), []
    for i in [0, *range(len(bench.test))]:
        image, start = bench.test[i][0], time.perf_counter()
        detector.detect([image], [rpn.propose(image)[0]])
        between = time.perf_counter()
        shared.detect([image])
        rows.append({"unshared": between - start, "shared": time.perf_counter() - between})
    return medians(rows[1:])


def time_systems(bench: Bench) -> dict:
    """The paper's table 5: seconds a picture for the convolutions, the proposals, and what is done for each region."""
    models = {"selective search + Fast R-CNN": bench.fast_rcnn(), "Faster R-CNN": bench.joint()}
    times = {key: [] for key in SYSTEMS}
    for i in tqdm([0, *range(len(bench.test))], "taking turns", unit="image", disable=None):
        for key, count in SYSTEMS.items():
            model = models[key[0]]
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
