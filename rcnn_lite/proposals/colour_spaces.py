"""The colour spaces in which selective search segments and compares regions (Uijlings 2013, section 3.2; notebook 04).

They differ in what they ignore. A shadow changes the intensity I and all of RGB, hardly the normalised r and g, and not
the hue H. An object that melts into its background in one space may stand out in another.
"""

from collections.abc import Callable

import cv2
import numpy as np


def _normalised_rg_intensity(image: np.ndarray) -> np.ndarray:
    """r = R / (R + G + B), g = G / (R + G + B) and intensity, each scaled to 0 .. 255. Black has r = g = 0."""
    total = np.maximum(image.sum(axis=2, dtype=np.uint32), 1)[:, :, None]  # (H, W, 1)
    rg = (image[:, :, :2].astype(np.uint32) * 255 + total // 2) // total  # (H, W, 2), rounded
    return np.dstack((rg.astype(np.uint8), cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)))


COLOUR_SPACES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "hsv": lambda image: cv2.cvtColor(image, cv2.COLOR_RGB2HSV),  # hue in steps of 2 degrees, 0 .. 179
    "lab": lambda image: cv2.cvtColor(image, cv2.COLOR_RGB2LAB),
    "rgi": _normalised_rg_intensity,
    "h": lambda image: np.ascontiguousarray(cv2.cvtColor(image, cv2.COLOR_RGB2HSV)[:, :, :1]),
    "i": lambda image: cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[:, :, None],
}
"""Name -> conversion of uint8 (H, W, 3) RGB to uint8 (H, W, C), C = 3 or 1."""


def to_colour_space(image: np.ndarray, name: str) -> np.ndarray:
    """uint8 RGB (H, W, 3) -> uint8 (H, W, C) in a space of `COLOUR_SPACES`. An unknown name raises ValueError.

    >>> to_colour_space(np.uint8([[[200, 100, 100]]]), "rgi")  # 255 / 2, 255 / 4, 0.299 R + 0.587 G + 0.114 B
    array([[[128,  64, 130]]], dtype=uint8)
    """
    if name not in COLOUR_SPACES:
        raise ValueError(f"unknown colour space {name!r}; there are {', '.join(COLOUR_SPACES)}")
    return COLOUR_SPACES[name](image)
