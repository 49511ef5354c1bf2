"""HOG, histograms of oriented gradients: the features of most detectors before R-CNN (notebook 03).

Dalal and Triggs 2005. At each pixel the gradient of the strongest colour channel; in each *cell* of a few pixels a
histogram of its directions, weighted by its length; four neighbouring cells make a *block*, brought to length 1. Light
and contrast are gone, edges stay. scikit-image does the counting; here is the form in which a detector wants it.

Notation: R x C blocks of a picture, one a cell apart from the next; 36 numbers a block, 2 x 2 cells x 9 directions.
"""

import numpy as np
import torch
from skimage.feature import hog
from torch import Tensor

DIRECTIONS = 9  # section 6.3: finer than 9 brings nothing; a direction and its opposite are the same
BLOCK_CELLS = 2  # section 6.4: 2 x 2 or 3 x 3 cells
CHANNELS = BLOCK_CELLS * BLOCK_CELLS * DIRECTIONS


def hog_blocks(image: Tensor, cell: int) -> Tensor:
    """Blocks of a whole picture: float (3, H, W) in [0, 1] -> float32 (36, R, C), R = H // cell - 1, C = W // cell - 1.

    Block (r, c) is made of the cells r, r + 1 and c, c + 1; what does not fill a cell at the right and lower border is
    left out. A window of a x b cells whose upper left cell is (r, c) has the blocks [:, r : r + a - 1, c : c + b - 1]:
    all windows share one map. Without room for a block R or C is 0.

    The outermost pixels of the picture have no neighbour on one side, and scikit-image calls their gradient across the
    border 0. Blocks at the border of a picture that was cut out therefore differ from the same blocks in the whole.
    """
    rows, columns = (max(0, side // cell - BLOCK_CELLS + 1) for side in image.shape[1:])
    if rows == 0 or columns == 0:
        return torch.zeros(CHANNELS, rows, columns)
    pixels = np.ascontiguousarray(image.detach().cpu().float().permute(1, 2, 0).numpy())  # (H, W, 3)
    blocks = hog(
        pixels,
        orientations=DIRECTIONS,
        pixels_per_cell=(cell, cell),
        cells_per_block=(BLOCK_CELLS, BLOCK_CELLS),
        block_norm="L2-Hys",  # section 6.4: length 1, cut at 0.2, length 1 again
        feature_vector=False,
        channel_axis=-1,
    )  # (R, C, 2, 2, 9)
    return torch.from_numpy(blocks.reshape(rows, columns, CHANNELS)).float().permute(2, 0, 1).contiguous()
