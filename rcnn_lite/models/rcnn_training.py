"""Training an R-CNN: proposals -> features -> SVMs -> box regressors, each stage a file in the run's folder (notebook
08).

The paper's training is a chain of separate programs with files between them, and so is this: `train` walks through the
stages, skips those whose file is there already, and so resumes an interrupted run. Features of all regions are written
to disk as they are made (half precision, memory-mapped) and never held in memory together.

    RUN/stages.json           what is being trained; a second call with other settings is refused
    RUN/regions.safetensors   proposals and objects of each image
    RUN/features/             fc.f16: a row a region; pool5.f16: a row a pair for the regressors; done.json: images
    finished RUN/svms.safetensors, RUN/ridge.safetensors

Notation: K classes with background, D and P features of the layers fc and pool5.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from rcnn_lite.boxes import box_iou
from rcnn_lite.cache import write_atomically
from rcnn_lite.checkpoints import load_checkpoint, load_records, save_checkpoint, save_records
from rcnn_lite.heads.ridge import fit_box_regressors
from rcnn_lite.heads.svm import SVMSettings, feature_scale, train_svms
from rcnn_lite.images import tensor_to_image
from rcnn_lite.models.rcnn import RCNN
from rcnn_lite.proposals.selective_search import selective_search


@dataclass(frozen=True)
class RCNNTraining:
    """The numbers of R-CNN's training."""

    svm: SVMSettings = field(default_factory=SVMSettings)
    ridge_iou: float = 0.6  # section 2.3 / appendix C: pairs of a proposal and an object that overlap this much
    ridge_lambda: float = 100.0  # appendix C: 1000, for ten times our pairs; the best of 10 .. 3000 on held-out scenes
    feature_norm: float = 20.0  # code: feat_norm_mean, see svm.feature_scale
    seed: int = 0


def train(model: RCNN, dataset, folder: str | Path, settings: RCNNTraining = RCNNTraining()) -> list[dict]:
    """Fit the SVMs and regressors of `model` to a dataset's (image, target) pairs, stage by stage, in `folder`.

    Returns the rounds of hard-negative mining (see `svm.train_svms`). Raises ValueError if the folder holds a run with
    other settings or data.
    """
    folder = Path(folder)
    _claim(folder, model, dataset, settings)
    regions = _regions(model, dataset, folder / "regions.safetensors", settings)
    store = FeatureStore(folder / "features", model, regions, settings)
    store.fill(model, dataset)
    model.scales.copy_(store.scales(settings.feature_norm))
    rounds = _svms(model, store, folder / "svms.safetensors", settings)
    _ridge(model, store, folder / "ridge.safetensors", settings)
    return rounds


def _claim(folder: Path, model: RCNN, dataset, settings: RCNNTraining) -> None:
    """Write down what is trained here, or refuse if it was something else."""
    what = model.to_checkpoint()[1] | {"training": asdict(settings), "images": len(dataset)}
    what["data"] = getattr(dataset, "fingerprint", "")
    file = folder / "stages.json"
    if file.is_file():
        before = json.loads(file.read_text())
        if other := sorted(key for key in what | before if what.get(key) != before.get(key)):
            raise ValueError(f"{folder} holds a run that differs in {', '.join(other)}: choose another folder")
        return
    write_atomically(file, lambda temporary: temporary.write_text(json.dumps(what, indent=1)))


def _regions(model: RCNN, dataset, file: Path, settings: RCNNTraining) -> list[dict[str, Tensor]]:
    """Stage 1, proposals: for each image the usable ones, and boxes and labels of its objects (crowds left out)."""
    if not file.is_file():
        records = []
        for i in tqdm(range(len(dataset)), desc="proposals", unit="image", disable=None):
            image, target = dataset[i]
            rng = np.random.default_rng([settings.seed, i])
            proposals = model.usable(selective_search(tensor_to_image(image), rng=rng), image.shape[1:]).cpu()
            single = ~target["iscrowd"].bool() if "iscrowd" in target else slice(None)
            objects = {"objects": target["boxes"][single], "labels": target["labels"][single]}
            records.append({"proposals": proposals} | objects)
        save_records(file, records, {"stage": "proposals"})
    return load_records(file)[0]


class FeatureStore:
    """Stage 2, features: those of each image's objects, then its proposals, one row after another, in files.

    `fc` has a row for every region; `pool5`, which is larger and which only the regressors need, a row for every
    proposal that overlaps an object by `ridge_iou` or more.
    """

    def __init__(self, folder: Path, model: RCNN, regions: list[dict[str, Tensor]], settings: RCNNTraining):
        folder.mkdir(parents=True, exist_ok=True)
        self.done, self.regions, self.num_classes = folder / "done.json", regions, len(model.classes)
        self.pairs = [_pairs(r, settings.ridge_iou) for r in regions]  # proposal and object of each pair, an image each
        rows = [len(r["objects"]) + len(r["proposals"]) for r in regions]
        self.row = np.concatenate(([0], np.cumsum(rows))).astype(int)  # image i has rows row[i] to row[i + 1]
        self.pair = np.concatenate(([0], np.cumsum([len(p) for p, _ in self.pairs]))).astype(int)
        self.fc = self._memory_map(folder / "fc.f16", self.row[-1], model.svm_weight.shape[1])
        self.pool5 = self._memory_map(folder / "pool5.f16", self.pair[-1], model.ridge_weight.shape[1])

    def _memory_map(self, file: Path, rows: int, columns: int) -> np.ndarray:
        """A half-precision array (rows, columns) in a file: the one from before if its size is right, else all anew."""
        if rows == 0:
            return np.zeros((0, columns), np.float16)
        fits = file.is_file() and file.stat().st_size == rows * columns * 2
        if not fits:
            self.done.unlink(missing_ok=True)
        return np.memmap(file, np.float16, "r+" if fits else "w+", shape=(rows, columns))

    @torch.inference_mode()
    def fill(self, model: RCNN, dataset, every: int = 10) -> None:
        """Extract what is missing. The count of finished images is written each `every`: so many are lost at most."""
        start = json.loads(self.done.read_text())["images"] if self.done.is_file() else 0
        rest = range(start, len(dataset))
        for i in tqdm(rest, "features", total=len(dataset), initial=start, unit="image", disable=None):
            boxes = torch.cat((self.regions[i]["objects"], self.regions[i]["proposals"])).to(model.device)
            features = model.features(dataset[i][0].to(model.device), boxes)
            pairs = self.pairs[i][0].to(model.device) + len(self.regions[i]["objects"])
            self.fc[self.row[i] : self.row[i + 1]] = features.fc.cpu().numpy()
            self.pool5[self.pair[i] : self.pair[i + 1]] = features.pool5[pairs].cpu().numpy()
            if (i + 1) % every == 0 or i + 1 == len(dataset):
                self.fc.flush(), self.pool5.flush()
                text = json.dumps({"images": i + 1})
                write_atomically(self.done, lambda temporary, text=text: temporary.write_text(text))

    def scales(self, norm: float, sample: int = 2000) -> Tensor:
        """Factors that bring pool5 and fc to the same mean norm, from up to `sample` rows spread over all: (2,)."""
        spread = [values[:: max(1, len(values) // sample)].astype(np.float32) for values in (self.pool5, self.fc)]
        self.factor = torch.tensor([feature_scale(torch.from_numpy(values), norm) for values in spread])
        return self.factor

    def positives(self) -> list[Tensor]:
        """fc features of the objects of each class, K tensors (p, D); entry 0 is empty."""
        rows = np.concatenate([np.arange(len(r["objects"])) + self.row[i] for i, r in enumerate(self.regions)]).astype(
            int
        )
        labels = torch.cat([r["labels"] for r in self.regions])
        features = _tensor(self.fc[rows]) * self.factor[1]
        return [features[labels == k] if k else features[:0] for k in range(self.num_classes)]

    def stream(self):
        """The proposals of one image after another, as `svm.Stream` wants them."""
        for i, region in enumerate(self.regions):
            features = _tensor(self.fc[self.row[i] + len(region["objects"]) : self.row[i + 1]]) * self.factor[1]
            yield features, class_overlaps(region, self.num_classes)


def class_overlaps(region: dict[str, Tensor], num_classes: int) -> Tensor:
    """Largest IoU of each of n proposals with an object of each class: (n, K), 0 where the image has none."""
    iou = box_iou(region["proposals"], region["objects"])  # (n, objects)
    overlaps = torch.zeros(len(iou), num_classes)
    for k in region["labels"].unique().tolist():
        overlaps[:, k] = iou[:, region["labels"] == k].amax(dim=1)
    return overlaps


def _pairs(region: dict[str, Tensor], threshold: float) -> tuple[Tensor, Tensor]:
    """Proposals of IoU >= threshold with some object, and the object that each overlaps most: indices (m,), (m,)."""
    if not len(region["objects"]):
        return torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64)
    overlap, nearest = box_iou(region["proposals"], region["objects"]).max(dim=1)  # (n,)
    close = torch.nonzero(overlap >= threshold).flatten()
    return close, nearest[close]


def _svms(model: RCNN, store: FeatureStore, file: Path, settings: RCNNTraining) -> list[dict]:
    """Stage 3: one SVM a class on fc."""
    if not file.is_file():
        with tqdm(total=settings.svm.max_rounds, desc="SVMs", unit="round", disable=None) as bar:
            report = lambda line: (bar.set_postfix(new=sum(line["added"])), bar.update())  # noqa: E731
            svms, rounds = train_svms(store.positives(), store.stream, settings.svm, settings.seed, report)
        save_checkpoint(file, svms._asdict(), {"rounds": rounds}, half=False)
    tensors, note = load_checkpoint(file)
    model.svm_weight.copy_(tensors["weight"])
    model.svm_bias.copy_(tensors["bias"])
    return note["rounds"]


def _ridge(model: RCNN, store: FeatureStore, file: Path, settings: RCNNTraining) -> None:
    """Stage 4: four regressors a class on pool5."""
    if not file.is_file():
        joined = [
            (r["proposals"][p], r["objects"][o], r["labels"][o])
            for r, (p, o) in zip(store.regions, store.pairs, strict=True)
        ]
        boxes, gt_boxes, labels = (torch.cat(parts) for parts in zip(*joined, strict=True))
        features = _tensor(store.pool5) * store.factor[0]
        maps = fit_box_regressors(features, boxes, gt_boxes, labels, store.num_classes, settings.ridge_lambda)
        save_checkpoint(file, maps._asdict(), {"pairs": len(labels)}, half=False)
    tensors, _ = load_checkpoint(file)
    model.ridge_weight.copy_(tensors["weight"])
    model.ridge_bias.copy_(tensors["bias"])


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.asarray(values, dtype=np.float32))
