"""The photographs that scikit-image and scikit-learn install with themselves: which ones the scenes use, and where
they lie.

Neither package is imported: only its folder is looked up, so that reading a dozen pictures stays quick.
"""

import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from rcnn_lite.images import read_image

PIP_NAMES = {"skimage": "scikit-image", "sklearn": "scikit-learn"}
FOLDERS = {"skimage": "data", "sklearn": "datasets/images"}


@dataclass(frozen=True)
class Photograph:
    """A picture file of a package, ``size`` in (H, W) pixels, and what may be pasted on.

    ``regions`` are the ``(x1, y1, x2, y2)`` pixel rectangles in which nothing that we annotate is to be seen; they
    serve as backgrounds of the scenes of ``split`` ("train" or "test"; the other split never sees this photograph as a
    background).
    """

    name: str
    package: str
    size: tuple[int, int]
    split: str | None = None
    regions: tuple[tuple[int, int, int, int], ...] = ()


_TABLE = (
    # photographs with annotated objects; what surrounds the objects of some of them is a background too
    Photograph("astronaut.png", "skimage", (512, 512), "train", ((0, 0, 96, 210),)),
    Photograph("camera.png", "skimage", (512, 512), "test", ((345, 0, 512, 300),)),
    Photograph("chelsea.png", "skimage", (300, 451)),
    Photograph("china.jpg", "sklearn", (427, 640), "test", ((380, 0, 640, 427), (0, 0, 60, 427))),
    Photograph("coffee.png", "skimage", (400, 600), "train", ((0, 0, 170, 400), (430, 0, 600, 400))),
    Photograph("coins.png", "skimage", (303, 384)),
    Photograph("flower.jpg", "sklearn", (427, 640), "test", ((0, 0, 150, 427), (460, 0, 640, 400))),
    Photograph("motorcycle_left.png", "skimage", (500, 741), "train", ((0, 0, 320, 140), (560, 0, 741, 110))),
    Photograph("motorcycle_right.png", "skimage", (500, 741)),
    Photograph("rocket.jpg", "skimage", (427, 640), "train", ((0, 0, 280, 427), (350, 0, 640, 427))),
    # surfaces and views without any annotated object
    Photograph("cell.png", "skimage", (660, 550)),
    Photograph("brick.png", "skimage", (512, 512), "train", ((0, 0, 512, 512),)),
    Photograph("clock_motion.png", "skimage", (300, 400), "train", ((0, 0, 400, 300),)),
    Photograph("gravel.png", "skimage", (512, 512), "train", ((0, 0, 512, 512),)),
    Photograph("ihc.png", "skimage", (512, 512), "train", ((0, 0, 512, 512),)),
    Photograph("moon.png", "skimage", (512, 512), "train", ((0, 0, 512, 512),)),
    Photograph("page.png", "skimage", (191, 384), "train", ((0, 0, 384, 191),)),
    Photograph("grass.png", "skimage", (512, 512), "test", ((0, 0, 512, 512),)),
    Photograph("hubble_deep_field.jpg", "skimage", (872, 1000), "test", ((0, 0, 1000, 872),)),
    Photograph("retina.jpg", "skimage", (1411, 1411), "test", ((300, 300, 1100, 1100),)),
    Photograph("text.png", "skimage", (172, 448), "test", ((0, 0, 448, 172),)),
)
PHOTOGRAPHS: dict[str, Photograph] = {photograph.name: photograph for photograph in _TABLE}


def photograph_path(name: str) -> Path:
    """The file of the photograph ``name`` inside its package.

    Raises ValueError when the name is not in `PHOTOGRAPHS`, and FileNotFoundError, with the line that installs the
    package, when the package or the file is not there.
    """
    if name not in PHOTOGRAPHS:
        raise ValueError(f"no photograph is called {name!r}; there are {', '.join(PHOTOGRAPHS)}")
    package = PHOTOGRAPHS[name].package
    remedy = f"'pip install --force-reinstall {PIP_NAMES[package]}' brings it"
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(
            f"the photograph {name} comes with {PIP_NAMES[package]}, which is not installed: {remedy}"
        )
    path = Path(spec.submodule_search_locations[0]) / FOLDERS[package] / name
    if not path.is_file():
        raise FileNotFoundError(f"{PIP_NAMES[package]} is installed without its photograph {path}: {remedy}")
    return path


@lru_cache(maxsize=len(PHOTOGRAPHS))
def read_photograph(name: str) -> np.ndarray:
    """The photograph ``name`` as uint8 (H, W, 3) RGB, read-only, kept in memory once read.

    Raises what `photograph_path` raises, and ValueError when the picture has another size than the one the outlines
    were drawn on.

    >>> read_photograph("chelsea.png").shape
    (300, 451, 3)
    """
    image = read_image(photograph_path(name))
    if image.shape[:2] != PHOTOGRAPHS[name].size:
        raise ValueError(
            f"{photograph_path(name)} has {image.shape[0]} x {image.shape[1]} pixels; "
            f"the outlines were drawn on one of {PHOTOGRAPHS[name].size[0]} x {PHOTOGRAPHS[name].size[1]}"
        )
    image.setflags(write=False)
    return image
