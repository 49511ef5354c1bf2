"""The pixels of a scene: a background, then each layer of the layout with its colours, its soft edge and its shadow.

Pictures are float32 (H, W, 3), 0 to 255, here; a layer's alpha is float32 (h, w) in [0, 1].
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageFilter

from rcnn_lite.datasets.composing import SIZE, Layer, Layout
from rcnn_lite.datasets.draws import Draws
from rcnn_lite.datasets.photographs import PHOTOGRAPHS, Photograph, read_photograph

GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # luma of ITU-R BT.601


@dataclass(frozen=True)
class Photometry:
    """How far the light may change in a split at full difficulty; at difficulty d the changes are d times as large."""

    exposure: tuple[float, float]  # factor of the brightness, as a power of 2
    contrast: tuple[float, float]  # factor of the distance from middle grey, as a power of 2
    saturation: tuple[float, float]  # colourfulness; 0 is grey
    tint: float  # factor of each channel, as a power of 2, to either side
    blur: float  # standard deviation in pixels, at most
    noise: float  # standard deviation in grey values, at most
    shadow: float  # darkening, at most


PHOTOMETRY = {
    "train": Photometry((-0.9, 0.9), (-0.6, 0.4), (0.2, 1.4), 0.5, 2.0, 20.0, 0.8),
    "test": Photometry((-1.1, 0.7), (-0.8, 0.4), (0.1, 1.3), 0.6, 2.2, 24.0, 0.8),
}


def paint(layout: Layout, split: str, rng: np.random.Generator, difficulty: float) -> np.ndarray:
    """Draw a layout: uint8 (H, W, 3)."""
    draws, light = Draws(rng), PHOTOMETRY[split]
    canvas = _background(split, draws)
    canvas = _relight(canvas, light, draws, difficulty)
    if draws.chance(0.5):
        canvas = _blur(canvas, draws.uniform(0, 2 * light.blur * difficulty))
    for layer in layout.layers:
        canvas = _paste(canvas, layer, split, draws, difficulty)
    canvas *= _light_falloff(draws, difficulty)
    if draws.chance(0.3):
        canvas = _blur(canvas, draws.uniform(0, 0.5 * light.blur * difficulty))
    noise = rng.standard_normal(canvas.shape, dtype=np.float32)
    canvas += noise * (draws.uniform(0, light.noise) * difficulty)
    return np.round(canvas).clip(0, 255).astype(np.uint8)


def _paste(canvas: np.ndarray, layer: Layer, split: str, draws: Draws, difficulty: float) -> np.ndarray:
    """One layer over the canvas, its shadow first."""
    light = PHOTOMETRY[split]
    corner, size, alpha = _with_border(layer)
    cutout = layer.cutout
    colours = cutout.render(layer.placement, corner, size) if cutout else _texture(split, size, draws)
    colours = _relight(colours, light, draws, difficulty)
    sigma = draws.uniform(0, light.blur * difficulty) if draws.chance(0.5) else 0.0
    colours, alpha = _blur(colours, sigma), _blur(alpha, max(sigma, 0.5))
    if draws.chance(0.6):
        canvas = canvas * (1 - _shadow(alpha, corner, draws) * draws.uniform(0.2, light.shadow))[..., None]
    (x, y), (height, width) = corner, size
    x1, y1, x2, y2 = max(x, 0), max(y, 0), min(x + width, SIZE), min(y + height, SIZE)
    here, there = np.s_[y1:y2, x1:x2], np.s_[y1 - y : y2 - y, x1 - x : x2 - x]
    canvas[here] += alpha[there][..., None] * (colours[there] - canvas[here])
    return canvas


def _with_border(layer: Layer, border: int = 6) -> tuple[tuple[int, int], tuple[int, int], np.ndarray]:
    """Corner, size and alpha of a layer with room around it into which its edge can blur.

    Where the layer is cut off by the picture's border the alpha continues beyond it, so that no soft edge appears
    there.
    """
    (x, y), (height, width) = layer.corner, layer.coverage.shape
    alpha = np.pad(layer.coverage.astype(np.float32), border)
    if x == 0:
        alpha[:, :border] = alpha[:, border : border + 1]
    if y == 0:
        alpha[:border] = alpha[border]
    if x + width == SIZE:
        alpha[:, -border:] = alpha[:, -border - 1 : -border]
    if y + height == SIZE:
        alpha[-border:] = alpha[-border - 1]
    return (x - border, y - border), alpha.shape, alpha


def _blur(values: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of float32 (H, W) in [0, 1] or (H, W, 3) in [0, 255]; nothing happens below a sigma of 0.2."""
    if sigma < 0.2:
        return values
    scale = np.float32(255 if values.ndim == 2 else 1)
    picture = Image.fromarray(np.round(values * scale).clip(0, 255).astype(np.uint8))
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(sigma)), dtype=np.float32) / scale


def _relight(colours: np.ndarray, light: Photometry, draws: Draws, difficulty: float) -> np.ndarray:
    """Random exposure, contrast, saturation and tint. A grey picture stays grey but for the tint."""
    exposure, contrast = (2 ** (difficulty * draws.uniform(*span)) for span in (light.exposure, light.contrast))
    saturation = 1 + difficulty * (draws.uniform(*light.saturation) - 1)
    tint = np.array([2 ** (difficulty * draws.uniform(-light.tint, light.tint)) for _ in range(3)], dtype=np.float32)
    tint *= np.float32(exposure) / (tint @ GREY)
    mix = np.float32(saturation) * np.eye(3, dtype=np.float32) + np.float32(1 - saturation) * GREY  # (out, in)
    matrix = tint[:, None] * mix * np.float32(contrast)
    return colours @ matrix.T + np.float32(128 * (1 - contrast))


def _light_falloff(draws: Draws, difficulty: float) -> np.ndarray:
    """A smooth change of brightness across the scene: float32 (H, W, 1) around 1."""
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32) / SIZE - 0.5
    across, down = (draws.uniform(-0.8, 0.8) * difficulty for _ in range(2))
    return (1 + np.float32(across) * x + np.float32(down) * y)[..., None]


def _shadow(alpha: np.ndarray, corner: tuple[int, int], draws: Draws) -> np.ndarray:
    """Where a layer darkens what lies behind it: float32 (SIZE, SIZE) in [0, 1], its alpha moved and blurred."""
    reach = draws.uniform(0.02, 0.12)
    side = max(alpha.shape)
    x, y = (round(start + draws.uniform(-reach, reach) * side) for start in corner)
    picture = Image.new("L", (SIZE, SIZE))
    picture.paste(Image.fromarray(np.round(alpha * 255).clip(0, 255).astype(np.uint8)), (x, y))
    blurred = picture.filter(ImageFilter.GaussianBlur(1 + draws.uniform(0.01, 0.06) * side))
    return np.asarray(blurred, dtype=np.float32) / 255


def backgrounds(split: str) -> tuple[Photograph, ...]:
    """The photographs that a split takes its backgrounds and the texture of its distractors from."""
    return tuple(photograph for photograph in PHOTOGRAPHS.values() if photograph.split == split)


@lru_cache(maxsize=len(PHOTOGRAPHS))
def _picture(name: str) -> Image.Image:
    return Image.fromarray(read_photograph(name))


def _piece(split: str, size: tuple[int, int], scales: tuple[float, float], draws: Draws) -> np.ndarray:
    """A random piece of a background photograph, mirrored at random, resized to ``size`` (H, W).

    ``scales``: photograph pixels a scene pixel, as far as the region is large enough.
    """
    photograph = draws.pick(backgrounds(split))
    x1, y1, x2, y2 = draws.pick(photograph.regions)
    scale = draws.uniform(*scales)
    scale = min(scale, (x2 - x1) / size[1], (y2 - y1) / size[0])
    width, height = scale * size[1], scale * size[0]
    left, top = draws.uniform(x1, x2 - width), draws.uniform(y1, y2 - height)
    box = (max(left, x1), max(top, y1), min(left + width, x2), min(top + height, y2))
    piece = _picture(photograph.name).resize(size[::-1], Image.Resampling.BILINEAR, box=box)
    if draws.chance(0.5):
        piece = piece.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return np.asarray(piece, dtype=np.float32)


def _background(split: str, draws: Draws) -> np.ndarray:
    """A piece of one photograph, or of two that meet along a soft straight line, as a wall meets a floor."""
    canvas = _piece(split, (SIZE, SIZE), (0.4, 2.5), draws)
    if draws.chance(0.35):
        other = _piece(split, (SIZE, SIZE), (0.4, 2.5), draws)
        y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
        height, slope, softness = draws.uniform(0.25, 0.75) * SIZE, draws.uniform(-0.3, 0.3), draws.uniform(1, 6)
        share = np.clip((y - height - np.float32(slope) * (x - SIZE / 2)) / np.float32(softness) + 0.5, 0, 1)
        canvas += share[..., None] * (other - canvas)
    return canvas


def _texture(split: str, size: tuple[int, int], draws: Draws) -> np.ndarray:
    """What fills a distractor: a piece of a background, as it is or so blurred that only its colours remain."""
    piece = _piece(split, size, (0.3, 3.0), draws)
    return _blur(piece, draws.uniform(2, 8)) if draws.chance(0.25) else piece
