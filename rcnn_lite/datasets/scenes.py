"""`Scenes`, the default data set: real objects cut out of photographs and pasted on real backgrounds.

The idea is that of Dwibedi, Misra and Hebert 2017, "Cut, Paste and Learn: Surprisingly Easy Synthesis for Instance
Detection" (ICCV). The photographs come with scikit-image and scikit-learn, the outlines with this repository, so
nothing is downloaded.
"""

import hashlib
import json
import operator
import warnings
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from rcnn_lite.cache import cache_dir
from rcnn_lite.datasets.composing import RULES, SIZE, annotate, lay_out, measure, see_point
from rcnn_lite.datasets.outlines import load_outlines, read_annotations, shape_coverage
from rcnn_lite.datasets.painting import PHOTOMETRY, paint
from rcnn_lite.datasets.photographs import PHOTOGRAPHS, photograph_path, read_photograph
from rcnn_lite.datasets.scene_store import CorruptStore, OutdatedStore, Stored, read_store, write_store
from rcnn_lite.images import image_to_tensor

CODE_VERSION = 1  # raise it whenever the same inputs give other scenes
LENGTHS = {"train": 400, "test": 100}
DIFFICULTY = 0.5


class Scenes(Dataset):
    """Pictures of 1 to 6 objects of ten classes among distractors, with boxes, masks and, for the cat, keypoints.

    Split "train" has 400 and "test" 100 scenes of 256 x 256 pixels. They share no background, no coin and no
    motorcycle photograph, and the light varies differently. Split "photographs" is the ten untouched photographs that
    the objects were cut from, in their own sizes: real pictures, but no unseen objects.

    A scene depends on (split, index, seed, difficulty) alone: scene i is the same whatever n is. The scenes of a split
    are made once, in a few seconds, and kept under `rcnn_lite.cache.cache_dir`.

    Parameters
    ----------
    split : "train", "test" or "photographs"
    n : how many, from the first on; all of them by default.
    seed : 0, 1, 2, ...; another seed gives other scenes. The photographs do not change.
    difficulty : 0 to 1. Scales how far light, blur and noise vary and how many distractors there may be: none at 0, up
        to 8 at 1.

    Attributes
    ----------
    has_masks : True.
    classes : tuple of names; the index is the label, and ``classes[0]`` is "background".
    keypoint_names : tuple of K names; left and right are the animal's own.
    keypoint_flip : tuple of K indices: in a mirrored picture keypoint k is called ``keypoint_names[keypoint_flip[k]]``.
    fingerprint : text that changes with the split, the seed, the difficulty, the outlines, the photographs or the code.

    Raises
    ------
    ValueError for an unknown split, and n, seed or difficulty out of range; FileNotFoundError naming the package, the
    file and the remedy when a photograph is missing.

    Examples
    --------
    >>> image, target = Scenes("photographs")[2]
    >>> image.shape, target["labels"].tolist(), target["boxes"].tolist()
    (torch.Size([3, 300, 451]), [2], [[0.0, 0.0, 398.0, 300.0]])
    """

    has_masks = True

    def __init__(self, split: str, n: int | None = None, seed: int = 0, difficulty: float = DIFFICULTY):
        lengths = {**LENGTHS, "photographs": len(read_annotations()["photographs"])}
        if split not in lengths:
            raise ValueError(f"split must be one of {', '.join(lengths)}; got {split!r}")
        self.split = split
        self.n = _whole(lengths[split] if n is None else n, "n", 1, lengths[split])
        self.seed = _whole(seed, "seed", 0, 2**63)
        self.difficulty = float(difficulty)
        if not 0 <= self.difficulty <= 1:
            raise ValueError(f"difficulty must lie between 0 and 1; got {difficulty}")
        annotations = read_annotations()
        self.classes = ("background", *annotations["classes"])
        self.keypoint_names = tuple(annotations["keypoint_names"])
        self.keypoint_flip = tuple(annotations["keypoint_flip"])
        self.fingerprint = _fingerprint(split, self.seed, self.difficulty)
        self._scenes = None if split == "photographs" else self._load()

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> tuple[Tensor, dict]:
        """(image, target): float32 (3, H, W) in [0, 1], and a dict of

        ``boxes`` float32 (N, 4); ``labels`` int64 (N,); ``masks`` uint8 (N, H, W), the visible pixels; ``area``
        float32 (N,), how many; ``iscrowd`` int64 (N,), all 0; ``keypoints`` float32 (N, K, 3) with x, y and visibility
        2 (seen), 1 (covered) or 0 (not there); ``image_id`` int, the index.
        """
        image, owner, found, index = self._parts(index)
        return image_to_tensor(np.asarray(image)), _target(owner, found, index)

    def target(self, index: int) -> dict:
        """The target of an item alone."""
        _, owner, found, index = self._parts(index)
        return _target(owner, found, index)

    def _parts(self, index: int) -> tuple[np.ndarray, np.ndarray, dict, int]:
        """Picture, owner map and annotations of a scene, and its place counted from the front."""
        index = operator.index(index)
        if not -self.n <= index < self.n:
            raise IndexError(f"scene {index} of {self.n}")
        index %= self.n
        if self._scenes is None:
            return *_photograph(index), index
        image, owner, found = (part[index] for part in vars(self._scenes).values())
        return image, owner, found, index

    def __repr__(self) -> str:
        return f"Scenes({self.split!r}, n={self.n}, seed={self.seed}, difficulty={self.difficulty})"

    def __reduce__(self):
        """Copies in other processes open the file themselves; pixels are never sent."""
        return type(self), (self.split, self.n, self.seed, self.difficulty)

    def _load(self) -> Stored:
        """The scenes from the cache; made first, or made again, where needed."""
        try:
            path, total = self._store_path()
        except OSError as error:
            return self._unstored(self._make(self.n), error)
        complaint = None
        try:
            return read_store(path, self.fingerprint, self.n)
        except (FileNotFoundError, OutdatedStore):
            pass
        except (CorruptStore, OSError, KeyError, ValueError, TypeError) as error:
            complaint = f"the stored scenes {path} cannot be used: {error}; they were made again"
        scenes = self._make(total)
        refusal = None
        try:
            write_store(path, scenes, self.fingerprint)
        except OSError as error:  # no room, no permission; on Windows also: another process has just made and opened it
            refusal = error
        try:
            scenes = read_store(path, self.fingerprint, self.n)
        except (OSError, CorruptStore, OutdatedStore) as error:
            return self._unstored(scenes, refusal or error)
        if complaint:
            warnings.warn(complaint, RuntimeWarning, stacklevel=3)
        return scenes

    def _unstored(self, scenes: Stored, error: Exception) -> Stored:
        """Say that the scenes live in memory only."""
        warnings.warn(f"the scenes cannot be stored: {error}; they stay in memory", RuntimeWarning, stacklevel=4)
        return scenes

    def _store_path(self) -> tuple[Path, int]:
        """The file to use, and how many scenes it has or shall have: the smallest with at least n, else a new one."""
        stem = f"scenes-{self.split}-seed{self.seed}-difficulty{self.difficulty:g}"
        folder = cache_dir()
        stored = (path.stem.rpartition("-")[2] for path in folder.glob(f"{stem}-*.bin"))
        totals = [int(text) for text in stored if text.isdecimal()]
        total = min((total for total in totals if self.n <= total <= LENGTHS[self.split]), default=self.n)
        return folder / f"{stem}-{total}.bin", total

    def _make(self, total: int) -> Stored:
        """Compose and paint scenes 0 to total - 1."""
        scenes = Stored(np.empty((total, SIZE, SIZE, 3), np.uint8), np.empty((total, SIZE, SIZE), np.uint8), [])
        for index in tqdm(range(total), desc=f"making the {self.split} scenes", unit="scene", disable=None):
            key = [self.seed, sorted(LENGTHS).index(self.split), index, round(self.difficulty * 10**6)]
            layout = lay_out(self.split, np.random.default_rng([*key, 0]), self.difficulty)
            scenes.images[index] = paint(layout, self.split, np.random.default_rng([*key, 1]), self.difficulty)
            scenes.owners[index] = layout.owner
            scenes.annotations.append(annotate(layout, self.classes, self.keypoint_names, self.keypoint_flip))
        return scenes


def _whole(value: int, name: str, low: int, high: int) -> int:
    """``value`` as int; ValueError unless it is a whole number from low to high."""
    try:
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} must be a whole number; got {value!r}") from None
    if not low <= number <= high:
        raise ValueError(f"{name} must lie between {low} and {high}; got {number}")
    return number


@lru_cache
def _sources() -> str:
    """A digest of the outlines and of the bytes of every photograph file."""
    digest = hashlib.sha256(json.dumps(read_annotations(), sort_keys=True).encode())
    for name in PHOTOGRAPHS:
        digest.update(hashlib.sha256(photograph_path(name).read_bytes()).digest())
    return digest.hexdigest()


def _fingerprint(split: str, seed: int, difficulty: float) -> str:
    """16 hexadecimal digits for everything that the scenes of a split depend on."""
    table = {name: asdict(photograph) for name, photograph in PHOTOGRAPHS.items()}
    light = {name: asdict(photometry) for name, photometry in PHOTOMETRY.items()}
    origin = [CODE_VERSION, split, seed, difficulty, SIZE, asdict(RULES), light, table, _sources()]
    return hashlib.sha256(json.dumps(origin).encode()).hexdigest()[:16]


@lru_cache(maxsize=16)
def _photograph(index: int) -> tuple[np.ndarray, np.ndarray, dict]:
    """An untouched photograph: picture, owner map, annotations. Outlines in front cover those behind."""
    annotations = read_annotations()
    name = list(annotations["photographs"])[index]
    image = read_photograph(name)
    outlines = [outline for outline in load_outlines() if outline.photograph == name]
    owner = np.zeros(image.shape[:2], dtype=np.uint8)
    for number, outline in enumerate(outlines, start=1):
        owner[shape_coverage(outline.parts, outline.holes, owner.shape) >= 0.5] = number
    boxes, areas = measure(owner, len(outlines))
    blank = [0.0, 0.0, 0]
    keypoints = [
        [
            see_point(owner, number, outline.keypoints[k]) if k in outline.keypoints else blank
            for k in annotations["keypoint_names"]
        ]
        for number, outline in enumerate(outlines, start=1)
    ]
    labels = [annotations["classes"].index(outline.class_name) + 1 for outline in outlines]
    return image, owner, {"labels": labels, "boxes": boxes, "area": areas, "keypoints": keypoints}


def _target(owner: np.ndarray, found: dict, index: int) -> dict:
    """Annotations as plain lists -> tensors, with the masks taken from the owner map."""
    count = len(found["labels"])
    numbers = np.arange(1, count + 1, dtype=np.uint8)[:, None, None]
    return {
        "boxes": torch.tensor(found["boxes"], dtype=torch.float32).reshape(-1, 4),
        "labels": torch.tensor(found["labels"], dtype=torch.int64),
        "masks": torch.from_numpy((np.asarray(owner) == numbers).view(np.uint8)),
        "area": torch.tensor(found["area"], dtype=torch.float32),
        "iscrowd": torch.zeros(count, dtype=torch.int64),
        "keypoints": torch.tensor(found["keypoints"], dtype=torch.float32).reshape(count, -1, 3),
        "image_id": index,
    }
