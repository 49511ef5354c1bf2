"""Selective search and R-CNN's features of a set of scenes: two workers of one thread against one process of two.

Writes `benchmarks/results/spreading.md`. Run: ``python benchmarks/spreading.py``.
"""

import os
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import torch
from harness import compare, write_table

from rcnn_lite.datasets.scenes import Scenes
from rcnn_lite.models.backbone import build_backbone
from rcnn_lite.models.fast_rcnn_training import search
from rcnn_lite.models.feature_store import FeatureStore
from rcnn_lite.models.rcnn import RCNN, RCNNSettings
from rcnn_lite.proposals.stored import propose_all

SEARCHED, DESCRIBED, REGIONS = 16, 4, 100  # scenes, scenes, and regions of each of the latter

NOTE = f"""Selective search in {SEARCHED} scenes, and R-CNN's features of {REGIONS} regions in each of {DESCRIBED}, by
two processes of one thread ("ours") and by one process of two threads ("peer"). Files are written as in a training, and
the answers are the same. The processes are there already: starting them takes some seconds, once."""


def propose(data, folder: Path, workers: int) -> list[torch.Tensor]:
    """All proposals, made anew."""
    file = folder / "proposals.safetensors"
    file.unlink(missing_ok=True)
    return propose_all(partial(search, 0), data, file, workers=workers)


def describe(model, data, regions: list[dict], folder: Path, workers: int) -> np.ndarray:
    """All features of the last layer, made anew."""
    for old in folder.glob("*"):
        old.unlink()
    store = FeatureStore(folder, regions, model.layer_sizes, len(model.classes))
    store.fill(model, data, workers)
    return np.array(store.layers.fc7)


def main() -> None:
    """Time both, and write the table."""
    torch.set_num_threads(2)
    data, few = Scenes("train", n=SEARCHED), Scenes("train", n=DESCRIBED)
    model = RCNN(build_backbone(), data.classes, RCNNSettings())
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        found = propose(data, folder, 1)
        assert all(torch.equal(a, b) for a, b in zip(found, propose(data, folder, 2), strict=True))
        regions = [
            {"proposals": boxes[:REGIONS], "objects": target["boxes"][:0], "labels": target["labels"][:0]}
            for boxes, (_, target) in zip(found, (few[i] for i in range(DESCRIBED)), strict=False)
        ]
        one, two = (describe(model, few, regions, folder / "features", workers) for workers in (1, 2))
        assert np.allclose(one, two, atol=1e-2, rtol=1e-2)
        rows = [
            compare("selective search", *(partial(propose, data, folder, w) for w in (2, 1)), repeats=3, warmup=0),
            compare(
                "features of R-CNN",
                *(partial(describe, model, few, regions, folder / "features", w) for w in (2, 1)),
                repeats=3,
                warmup=0,
            ),
        ]
    write_table("spreading", "A set of pictures spread over two cores", rows, f"{NOTE} {busy()}", packages=["joblib"])


def busy() -> str:
    """What else the machine did: two processes get a larger part of a shared machine than one does."""
    if not hasattr(os, "getloadavg"):
        return ""
    return f"In the last quarter of an hour {os.getloadavg()[2]:.0f} processes, with these, wanted a core at a time."


if __name__ == "__main__":
    main()
