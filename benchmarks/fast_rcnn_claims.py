"""R-CNN, SPPnet and Fast R-CNN side by side on the scenes, and what Fast R-CNN is made of: claims F1 to F7.

    python benchmarks/fast_rcnn_claims.py --out runs/fast_rcnn_claims

Trains all three from nothing in OUT, one after another, and notes the processor seconds of each; then detects with all
three, and with Fast R-CNN truncated, in the same test scenes, taking turns picture by picture, with the same proposals:
once those 300 that R-CNN looks at, once all of selective search. The variants of Fast R-CNN (frozen convolutions,
several scales, SVMs instead of the softmax, truncated fc layers) come from `fast_rcnn_variants`. Each training and each
table is kept in OUT and not repeated: an interrupted run goes on, but a training time is only right if that training
was not interrupted; otherwise it is left out. The result is data/measurements/fast_rcnn.json, which notebook 10 reads.
"""

import argparse
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import torch
from fast_rcnn_variants import measure_variants
from harness import how_made
from rcnn_parts import scores, spread
from tqdm import tqdm

from rcnn_lite.cache import write_atomically
from rcnn_lite.checkpoints import save_checkpoint
from rcnn_lite.datasets.scenes import Scenes
from rcnn_lite.images import tensor_to_image
from rcnn_lite.models.loading import load_model
from rcnn_lite.models.recipes import RECIPES, Order
from rcnn_lite.paths import data_path
from rcnn_lite.proposals.selective_search import selective_search
from rcnn_lite.proposals.stored import propose_all

MODELS = ("rcnn", "sppnet", "fast_rcnn")
RANKS = (256, 128)  # of fc6 and fc7 in a row of its own: the paper's 1,024 and 256 of 4,096 (section 4.4)


def main() -> None:
    """All parts, and the file that they make."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    out = parser.parse_args().out
    torch.set_num_threads(2)
    train, test = Scenes("train"), Scenes("test")
    training = {name: train_one(name, out, train) for name in MODELS}
    result = {
        **how_made("fast_rcnn_claims.py"),
        "data": {"train": train.fingerprint, "test": test.fingerprint},
        "training": training,
        "proposals": kept(out / "proposals.json", lambda: time_search(test)),
        "testing": kept(out / "testing.json", lambda: compare(out, test)),
        "variants": kept(out / "variants.json", lambda: measure_variants(out, train, test)),
    }
    text = json.dumps(result, indent=1)
    write_atomically(data_path("measurements/fast_rcnn.json"), lambda file: file.write_text(text + "\n"))
    print(text)


def kept(file: Path, make: Callable[[], dict]) -> dict:
    """What `make` makes, from the file if it is there."""
    if not file.is_file():
        text = json.dumps(make(), indent=1)
        write_atomically(file, lambda temporary: temporary.write_text(text))
    return json.loads(file.read_text())


def claim_folder(out: Path, wanted: dict) -> None:
    """Writes down what the folder's measurements are made with; ValueError if it holds some made otherwise."""
    before = kept(out / "bench.json", lambda: wanted)
    if other := [name for name, value in wanted.items() if before[name] != value]:
        raise ValueError(f"{out} holds measurements with another value of {other[0]}: choose another folder")


def train_one(name: str, out: Path, data: Scenes) -> dict:
    """Train a model from nothing; processor seconds it took (None if it was interrupted), bytes of features on disk.

    Those of all threads together: the machine is shared, and what others do beside it changes the clock's seconds.
    """
    folder, checkpoint = out / name, out / f"{name}.safetensors"

    def make() -> dict:
        fresh = not folder.exists()
        start = time.process_time()
        model, note = RECIPES[name](data, Order(folder))
        spent = round(time.process_time() - start, 1) if fresh else None
        tensors, description = model.to_checkpoint()
        save_checkpoint(checkpoint, tensors, description | note)
        features = sum(file.stat().st_size for file in folder.glob("features/*.f16"))
        shutil.rmtree(folder / "features", ignore_errors=True)
        return {"processor seconds": spent, "bytes of features": features}

    return kept(out / f"{name}.json", make) | {"bytes of checkpoint": checkpoint.stat().st_size}


def time_search(test: Scenes) -> dict:
    """Seconds a picture for what all of them need first: the proposals."""
    images = [test[i][0] for i in range(len(test))]
    selective_search(tensor_to_image(images[0]))  # untimed: what compiles does so before the clock runs
    start = time.perf_counter()
    for image in images:
        selective_search(tensor_to_image(image))
    return {"seconds": round((time.perf_counter() - start) / len(images), 4)}


def compare(out: Path, test: Scenes) -> dict:
    """The models on the same scenes and proposals: accuracy, seconds a picture of each stage, differences."""
    models = {name: load_model(out / f"{name}.safetensors")[0] for name in MODELS}
    models["fast_rcnn truncated"] = models["fast_rcnn"].truncated(*RANKS)
    rcnn = models["rcnn"]
    searched = propose_all(lambda i, image: rcnn.propose(image), test, out / "test_proposals.safetensors")
    for model in models.values():  # what compiles or allocates does so before the clock runs
        model.detect([test[0][0]], [searched[0][:50]])
    tables = {}
    for which in ("the same 300", "all"):
        proposals = [rcnn.usable(p, (256, 256)) if which == "the same 300" else p for p in searched]
        if which == "all":
            models |= {name: _looking_at_all(out, name) for name in ("rcnn", "sppnet")}
        tables[which] = take_turns(models, test, proposals)
    return tables


def _looking_at_all(out: Path, name: str):
    """R-CNN or SPPnet without its own choice of 300 different proposals."""
    return load_model(out / f"{name}.safetensors", max_proposals=10**6, proposal_iou=1.0)[0]


def take_turns(models: dict, test: Scenes, proposals: list[torch.Tensor]) -> dict:
    """One row a model: mAP, AP, seconds a picture by stage; and the spread of the differences to R-CNN."""
    found, targets = {name: [] for name in models}, [test[i][1] for i in range(len(test))]
    for model in models.values():
        model.watch.seconds.clear()
    for i in tqdm(range(len(test)), "detecting", unit="image", disable=None):
        for name, model in models.items():
            found[name] += model.detect([test[i][0]], [proposals[i]])
    rows = {}
    for name, model in models.items():
        stages = {stage: round(total / len(test), 5) for stage, total in model.watch.seconds.items()}
        rows[name] = scores(found[name], targets) | {"seconds": stages, "total seconds": sum(stages.values())}
        rows[name]["gain over rcnn"] = spread(found[name], found["rcnn"], targets)
    counts = [len(p) for p in proposals]
    return {"rows": rows, "proposals a picture": round(sum(counts) / len(counts), 1), "ranks": RANKS}


if __name__ == "__main__":
    main()
