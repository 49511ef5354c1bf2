"""Checks of notebook 15's exercises: the level of a box, anchors a level, reading from levels; maps are in
`pyramids_maps`.

Known mistakes are in `wrong_pyramids`.
"""

import math

import numpy as np
import torch
from torch import Tensor

from rcnn_lite.checks import wrong_pyramids as wrong
from rcnn_lite.checks.harness import Case, Exercise, known
from rcnn_lite.checks.pictures import Outline, Picture, Row
from rcnn_lite.checks.pyramids_maps import check_enlarge_to, check_merge
from rcnn_lite.plotting import POSITIVE, PROPOSAL

__all__ = ["check_count_anchors", "check_enlarge_to", "check_level_of", "check_merge", "check_read_levels"]


def _floats(*rows: tuple) -> Tensor:
    return torch.tensor(rows, dtype=torch.float32)


def _whole(*values: int) -> Tensor:
    return torch.tensor(values, dtype=torch.int64)


NO_BOX = torch.zeros(0, 4)

# ---- exercise 1 ----


def _level_of(boxes: Tensor, k0: float, canonical: float, lowest: int, highest: int) -> Tensor:
    """As `assign_levels` has it; tests/checks/test_check_pyramids.py compares the two."""
    levels = []
    for x1, y1, x2, y2 in boxes.tolist():
        area = (x2 - x1) * (y2 - y1)
        level = math.floor(k0 + math.log2(math.sqrt(area) / canonical)) if area > 0 else lowest
        levels.append(min(max(level, lowest), highest))
    return torch.tensor(levels, dtype=torch.int64)


def _near_an_edge(boxes: np.ndarray, k0: float, canonical: float) -> bool:
    """Whether some box has nearly a whole number before it is rounded down; powers of 2 are exact and may."""
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    octaves = k0 + np.log2(np.sqrt(area[area > 0]) / canonical)
    return bool((np.abs(octaves - octaves.round()) < 1e-3).any())


def _random_boxes(rng: np.random.Generator, size: int) -> tuple:
    lowest = int(rng.integers(2, 4))
    k0, canonical = int(rng.integers(3, 6)), int(rng.choice([56, 64, 112, 224]))
    while True:
        corner = rng.integers(0, 300, (size, 2))
        sides = np.rint(2 ** rng.uniform(2.5, 9.5, (size, 1)) * 2 ** rng.uniform(-1, 1, (size, 2)))
        sides[rng.random(size) < 0.1, 0] = 0
        boxes = np.hstack((corner, corner + sides))
        if not _near_an_edge(boxes, k0, canonical):
            return torch.from_numpy(boxes).float(), k0, canonical, lowest, lowest + int(rng.integers(1, 4))


def _levels_picture(case: Case, result: object) -> Picture:
    pairs = zip(torch.as_tensor(case.expected).tolist(), torch.as_tensor(result).tolist(), strict=True)
    names = [f"P{right}, yours P{yours}" for right, yours in pairs]
    return Picture([Outline("boxes, and their levels", case.args[0], PROPOSAL, names=names)])


check_level_of = Exercise(
    name="level_of",
    cases=(
        Case(
            (_floats((0, 0, 64, 64)), 4, 64, 2, 5), _whole(4), "as large as the canonical size: log2(1) is 0, level k0"
        ),
        Case((_floats((0, 0, 32, 32)), 4, 64, 2, 5), _whole(3), "exactly half of it: log2(1/2) is -1, one level down"),
        Case((_floats((0, 0, 63, 64), (0, 0, 65, 64)), 4, 64, 2, 5), _whole(3, 4), "just below: 3.99 is rounded down"),
        Case((_floats((10, 20, 138, 148)), 4, 64, 2, 5), _whole(5), "128 pixels wide and high: 4 + 1"),
        Case((_floats((0, 0, 256, 16)), 4, 64, 2, 5), _whole(4), "long and flat: the root of 256 x 16 is 64"),
        Case(
            (_floats((0, 0, 999, 999)), 4, 64, 2, 5), _whole(5), "4 + 3.96 is 7 rounded down: there is no level above 5"
        ),
        Case((_floats((5, 5, 8, 8)), 4, 64, 2, 5), _whole(2), "4 - 4.4 is -1 rounded down: there is none below 2"),
        Case((_floats((7, 7, 7, 90)), 4, 64, 2, 5), _whole(2), "no area: the finest level"),
        Case((_floats((0, 0, 64, 64)), 5, 128, 3, 6), _whole(4), "5 + log2(1/2)"),
        Case((NO_BOX, 4, 224, 2, 5), _whole(), "no boxes"),
    ),
    reference=_level_of,
    known=known(
        wrong.level_ln,
        wrong.level_area,
        wrong.level_rounded,
        wrong.level_up,
        wrong.level_not_clamped,
        wrong.level_upside_down,
        wrong.level_from_zero,
        wrong.level_longer_side,
        wrong.level_far_corner,
    ),
    draw=_random_boxes,
    together=((0,),),
    picture=_levels_picture,
)

# ---- exercise 4 ----


def _count_anchors(strides: Tensor, picture_size: tuple[int, int], ratios: int) -> Tensor:
    height, width = picture_size
    cells = [math.ceil(height / stride) * math.ceil(width / stride) for stride in strides.tolist()]
    return ratios * torch.tensor(cells, dtype=torch.int64)


def _random_picture(rng: np.random.Generator, size: int) -> tuple:
    first = int(rng.integers(2, 5))
    height, width = (int(side) for side in rng.integers(10, 100 * size, 2))
    return torch.tensor([2**k for k in range(first, first + min(size, 5))]), (height, width), int(rng.integers(1, 6))


check_count_anchors = Exercise(
    name="count_anchors",
    cases=(
        Case((_whole(16), (32, 32), 1), _whole(4), "2 x 2 cells of 16 pixels, one anchor each"),
        Case((_whole(16), (32, 32), 3), _whole(12), "three at each cell"),
        Case((_whole(16), (32, 64), 1), _whole(8), "2 rows of 4 cells"),
        Case((_whole(4, 8), (16, 32), 3), _whole(96, 24), "4 x 8 cells and 2 x 4: a level for each stride"),
        Case((_whole(4, 8), (18, 32), 1), _whole(40, 12), "18 rows are 4.5 cells of 4, which is 5, and 2.25 of 8: 3"),
        Case((_whole(64), (10, 10), 3), _whole(3), "less than a stride is one cell"),
    ),
    reference=_count_anchors,
    known=known(
        wrong.count_whole_cells,
        wrong.count_square,
        wrong.count_cells_only,
        wrong.count_together,
        wrong.count_all_sizes,
        wrong.count_area,
    ),
    draw=_random_picture,
)

# ---- exercise 5 ----


def _read_levels(boxes: Tensor, levels: Tensor, maps: list[Tensor], lowest: int) -> Tensor:
    rows = []
    for (x1, y1, x2, y2), level in zip(boxes.tolist(), levels.tolist(), strict=True):
        fine, stride = maps[level - lowest], 2**level
        row = min(int((y1 + y2) / 2 // stride), fine.shape[1] - 1)
        column = min(int((x1 + x2) / 2 // stride), fine.shape[2] - 1)
        rows.append(fine[:, row, column])
    return torch.stack(rows) if rows else torch.zeros(0, maps[0].shape[0])


def _random_pyramid(rng: np.random.Generator, size: int) -> tuple:
    """Whole numbers, so that a cell is known by its value, in a picture that is wider than high."""
    lowest, count, channels = int(rng.integers(1, 4)), int(rng.integers(2, 4)), int(rng.integers(1, 3))
    top = 2 ** (lowest + count - 1)
    height, width = (int(rng.integers(1, 3)) * top, int(rng.integers(3, 5)) * top)
    strides = [2 ** (lowest + i) for i in range(count)]
    maps = [torch.from_numpy(rng.integers(0, 999, (channels, height // s, width // s))).float() for s in strides]
    corner = rng.integers(0, (width, height), (size, 2))
    far = np.minimum(corner + rng.integers(0, 30, (size, 2)), (width, height))
    levels = torch.from_numpy(rng.integers(lowest, lowest + count, size))
    return torch.from_numpy(np.hstack((corner, far))).float(), levels, maps, lowest


def _maps_picture(case: Case, result: object) -> Row:
    boxes, levels, maps, lowest = case.args
    names = [str(row) for row in range(len(boxes))]
    pictures = []
    for level, values in enumerate(maps, start=lowest):
        rows = torch.nonzero(levels == level).flatten().tolist()
        mark = Outline("boxes, in its cells", boxes[rows] / 2**level, POSITIVE, names=[names[row] for row in rows])
        pictures.append(Picture([mark], values, f"P{level}, stride {2**level}"))
    return Row(pictures)


_FINE = torch.arange(32.0).view(1, 4, 8)  # 16 x 32 pixels in cells of 4
_COARSE = 100 + torch.arange(8.0).view(1, 2, 4)  # in cells of 8
_TWO = [_FINE, _COARSE]
check_read_levels = Exercise(
    name="read_levels",
    cases=(
        Case((_floats((0, 0, 4, 4)), _whole(2), _TWO, 2), [[0.0]], "centre 2, 2: in the first cell of the finer map"),
        Case((_floats((8, 4, 16, 8)), _whole(2), _TWO, 2), [[11.0]], "centre 12, 6: row 1, column 3 of cells of 4"),
        Case((_floats((8, 4, 16, 8)), _whole(3), _TWO, 2), [[101.0]], "the same in cells of 8: row 0, column 1"),
        Case(
            (_floats((0, 0, 16, 16), (0, 0, 4, 4), (16, 0, 32, 16)), _whole(3, 2, 3), _TWO, 2),
            [[105.0], [0.0], [107.0]],
            "coarse, fine, coarse: in the order of the boxes",
        ),
        Case(
            (_floats((32, 16, 32, 16)), _whole(2), _TWO, 2),
            [[31.0]],
            "on the lower right border: 16 / 4 is row 4, of which the last is 3",
        ),
        Case(
            (_floats((10, 0, 12, 4)), _whole(3), [torch.cat((_COARSE, -_COARSE))], 3),
            [[101.0, -101.0]],
            "every channel of the cell; the only map has level 3",
        ),
        Case((NO_BOX, _whole(), _TWO, 2), torch.zeros(0, 1), "no boxes"),
    ),
    reference=_read_levels,
    known=known(
        wrong.read_by_level,
        wrong.read_level_up,
        wrong.read_stride_of_finest,
        wrong.read_x_first,
        wrong.read_corner,
        wrong.read_rounded,
        wrong.read_upside_down,
        wrong.read_beyond,
    ),
    draw=_random_pyramid,
    together=((0, 1),),
    picture=_maps_picture,
)
