"""Mask R-CNN on real photographs: nuts (18, of which 4 are held out) and nuclei under the microscope (99, 20).

    python benchmarks/real_masks.py --out runs/real_masks --data nuclei nuts

Needs the folder of real photographs (RCNN_LITE_REAL_DATA, or ../shared/data; see README, "Test data"). Both start from
ImageNet weights; every fifth picture is held out, from the first on. An interrupted training goes on where it was
saved. What was trained, measured and drawn is kept in OUT: models, a table for each data set, and sheets of the
held-out pictures with what is annotated (left) and what was found (right). After each data set
data/measurements/real_masks.json is written from all tables that are there.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from fast_rcnn_claims import kept
from harness import how_made
from mask_sheets import draw_sheets
from torch import Generator, Tensor
from tqdm import tqdm

from rcnn_lite.cache import write_atomically
from rcnn_lite.checkpoints import save_checkpoint
from rcnn_lite.datasets.coco import COCODataset
from rcnn_lite.datasets.nuclei import NucleiDataset
from rcnn_lite.datasets.parts import Part, Turned, hold_out
from rcnn_lite.evaluation import evaluate_coco
from rcnn_lite.heads.mask_head import MaskHeadSettings
from rcnn_lite.heads.roi_heads import RoIHeadSettings
from rcnn_lite.models.backbone import build_backbone
from rcnn_lite.models.faster_rcnn_training import FasterRCNNTraining, train
from rcnn_lite.models.fpn_rcnn import MaskRCNNFPN, MaskRCNNFPNSettings, PyramidSettings
from rcnn_lite.models.loading import load_model
from rcnn_lite.models.mask_rcnn import MaskRCNN
from rcnn_lite.models.recipes import summary
from rcnn_lite.paths import data_path
from rcnn_lite.proposals.rpn import ProposalCounts, RPNSettings
from rcnn_lite.training import FitSettings, Schedule

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
SHOWN = ("AP", "AP50", "AP75", "APs", "APm", "APl")

NUCLEI = MaskRCNNFPNSettings(
    training_sides=(320, 384, 448),  # pictures have 256 or 360 pixels: enlarged, nuclei have 15 to 100
    short_side=384,
    long_side=640,
    frozen_stages=2,  # microscopes show nothing of what ImageNet does
    rpn=RPNSettings(
        anchor_sizes=(16.0, 32.0, 64.0, 128.0),  # at stride 4, 8, 16, 32
        border=1000.0,  # all anchors: many nuclei are cut by the border
        min_size=2.0,
        loss_weight=50.0,
        nms_iou=0.7,
        training=ProposalCounts(1000, 600),
        testing=ProposalCounts(1000, 500),
    ),
    pyramid=PyramidSettings(width=64, extra_level=False, k0=4.0, canonical=112.0),
    heads=RoIHeadSettings(
        width=256,
        rois_per_image=96,
        positive_fraction=0.5,  # there are dozens of objects
        background_iou=(0.0, 0.5),
        score_threshold=0.05,
        nms_iou=0.5,  # nuclei touch, and their boxes overlap
        max_detections=300,
    ),
    mask=MaskHeadSettings(bins=14, convolutions=2, width=64),
)
NUTS = MaskRCNNFPNSettings(
    training_sides=(320, 384, 448),  # photographs have 600 x 800 pixels: nuts have 40 to 110 here
    short_side=384,
    long_side=640,
    frozen_stages=2,
    rpn=RPNSettings(
        anchor_sizes=(32.0, 64.0, 128.0, 256.0),
        border=1000.0,
        loss_weight=50.0,
        training=ProposalCounts(1000, 600),
        testing=ProposalCounts(1000, 300),
    ),
    pyramid=PyramidSettings(width=64, extra_level=False, k0=4.0, canonical=112.0),
    heads=RoIHeadSettings(width=256, background_iou=(0.0, 0.5), score_threshold=0.05, nms_iou=0.5),
    mask=MaskHeadSettings(bins=14, convolutions=2, width=64),
)


def read_nuclei(folder: Path) -> NucleiDataset:
    """Pictures of cells in grey and in colour, dark and light."""
    return NucleiDataset(folder / "dsb2018_small" / "stage1_train")


def read_nuts(folder: Path) -> COCODataset:
    """Dates, figs and hazelnuts on a table."""
    return COCODataset(folder / "nuts" / "data" / "images", folder / "nuts" / "data" / "trainval.json")


@dataclass(frozen=True)
class Case:
    """A data set, the model for it, and how long it is trained."""

    read: Callable[[Path], object]
    Model: type[MaskRCNN]
    settings: object
    batches: int
    learning_rate: float


SETS = {
    "nuclei": Case(read_nuclei, MaskRCNNFPN, NUCLEI, batches=300, learning_rate=1e-3),
    "nuts": Case(read_nuts, MaskRCNNFPN, NUTS, batches=200, learning_rate=1e-3),
}


def main() -> None:
    """The data sets asked for, and the file that they make."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--data", nargs="+", choices=SETS, default=list(SETS), help="in this order")
    parser.add_argument("--batches", type=int, help="of each training, to try the script")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--result", type=Path, default=data_path("measurements/real_masks.json"))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    for name in args.data:
        kept(args.out / f"{name}.json", lambda name=name: measure(name, args.out, args.batches, args.seed))
        tables = {name: args.out / f"{name}.json" for name in SETS}
        text = json.dumps(result({n: json.loads(f.read_text()) for n, f in tables.items() if f.is_file()}), indent=1)
        write_atomically(args.result, lambda file, text=text: file.write_text(text + "\n"))
    print(text)


def result(tables: dict) -> dict:
    """All tables that are there, and how they were made."""
    return {
        **how_made("real_masks.py"),
    } | tables


def measure(name: str, out: Path, batches: int | None, seed: int) -> dict:
    """Train, find, compare and draw: the table of one data set."""
    case, folder = SETS[name], Path(os.environ.get("RCNN_LITE_REAL_DATA") or SHARED)
    data = case.read(folder)
    learnt, held_out = hold_out(data)
    checkpoint = out / f"{name}.safetensors"
    training = train_one(case, learnt, out / name, batches or case.batches, seed)
    save_checkpoint(checkpoint, *training.pop("checkpoint"))
    model, _ = load_model(checkpoint)  # 8 bits a weight, as it would ship
    start = time.process_time()
    found = [detect(model, held_out[i][0]) for i in tqdm(range(len(held_out)), "finding", disable=None)]
    seconds = (time.process_time() - start) / len(held_out)
    targets = [held_out[i][1] for i in range(len(held_out))]
    draw_sheets(out / f"{name}_sheets", held_out, found, data.classes)
    return {
        "model": case.Model.title,
        "train images": len(learnt),
        "train objects": sum(len(learnt.dataset.target(i)["labels"]) for i in learnt.rows),
        "held-out images": len(held_out),
        "held-out objects": sum(len(target["labels"]) for target in targets),
        "most objects in an image": max(len(target["labels"]) for target in targets),
        "training": training,
        "processor seconds a picture": round(seconds, 3),
        "masks": rounded(evaluate_coco(found, targets, "segm")),
        "boxes": rounded(evaluate_coco(found, targets, "bbox")),
        "settings": asdict(case.settings),
    }


def rounded(numbers: dict[str, float]) -> dict[str, float]:
    """The numbers that are about precision."""
    return {key: round(numbers[key], 4) for key in SHOWN}


def detect(model: MaskRCNN, image: Tensor) -> dict[str, Tensor]:
    """What is found, its masks cut: a quarter of the memory."""
    (found,) = model.detect([image])
    return found | {"masks": found["masks"] > model.settings.mask.threshold}


def train_one(case: Case, data: Part, folder: Path, batches: int, seed: int) -> dict:
    """Train in `folder`: {"checkpoint"} and what it took, over all parts of an interrupted training.

    Processor seconds are those of all threads: what others do on a shared machine changes the clock's.
    """
    settings = FitSettings(Schedule(batches, save_every=20), learning_rate=case.learning_rate)
    model = case.Model(build_backbone("lite0"), data.classes, case.settings, Generator().manual_seed(seed))
    file, every = folder / "seconds.json", settings.schedule.save_every
    spent = json.loads(file.read_text()) if file.is_file() else {"processor": 0.0, "clock": 0.0}
    start = {"processor": time.process_time(), "clock": time.perf_counter()}

    def report(history: list[dict[str, float]]) -> None:
        if len(history) % every == 0 or len(history) == batches:
            now = {"processor": time.process_time(), "clock": time.perf_counter()}
            total = {name: round(spent[name] + now[name] - start[name], 1) for name in now}
            write_atomically(file, lambda temporary: temporary.write_text(json.dumps(total)))
            losses = {name: round(sum(h[name] for h in history[-every:]) / every, 3) for name in history[0]}
            print(len(history), total, losses, flush=True)

    history = train(model, Turned(data), folder, FasterRCNNTraining(settings, seed), report)
    return {
        "checkpoint": model.to_checkpoint(),
        "batches": batches,
        "images a batch": settings.images_per_step,
        "learning rate": case.learning_rate,
        "seed": seed,
        "seconds": json.loads(file.read_text()),
        "losses": summary(history, parts=10),
    }


if __name__ == "__main__":
    main()
