"""HOG maps: by hand on an edge, against plain loops, and the same numbers for a window however it is cut."""

import math

import pytest
import torch

from rcnn_lite.regions.hog import CHANNELS, DIRECTIONS, hog_blocks


def block_by_loops(image, top, left, cell):
    """36 numbers of the block whose upper left pixel is (top, left): every pixel votes for one of nine directions."""
    histograms = [[0.0] * DIRECTIONS for _ in range(4)]
    for y in range(2 * cell):
        for x in range(2 * cell):
            best = (0.0, 0.0, 0.0)
            for channel in image.double().tolist():
                row, column = top + y, left + x
                dy = channel[row + 1][column] - channel[row - 1][column] if 0 < row < len(channel) - 1 else 0.0
                dx = channel[row][column + 1] - channel[row][column - 1] if 0 < column < len(channel[0]) - 1 else 0.0
                best = max(best, (math.hypot(dy, dx), dy, dx), key=lambda gradient: gradient[0])
            angle = math.degrees(math.atan2(best[1], best[2])) % 180
            histograms[2 * (y // cell) + x // cell][int(angle // (180 / DIRECTIONS)) % DIRECTIONS] += best[0]
    values = [value / cell**2 for histogram in histograms for value in histogram]
    for cut in (0.2, math.inf):
        norm = math.sqrt(sum(value**2 for value in values) + 1e-5**2)
        values = [min(value / norm, cut) for value in values]
    return values


def test_a_vertical_edge_by_hand():
    """8 x 8 pixels in cells of 4: one block. Left half black, right half white: columns 3 and 4 have the gradient
    (1, 0), direction 0. So in each of the four cells all votes are for direction 0, and all four are 1 / 2.
    """
    image = torch.zeros(3, 8, 8)
    image[:, :, 4:] = 1.0
    blocks = hog_blocks(image, cell=4)
    assert blocks.shape == (CHANNELS, 1, 1)
    expected = torch.zeros(4, DIRECTIONS)
    expected[:, 0] = 0.5
    torch.testing.assert_close(blocks.reshape(4, DIRECTIONS), expected, rtol=0, atol=1e-6)


def test_an_edge_of_another_colour_and_contrast_is_the_same():
    image = torch.zeros(3, 8, 8)
    image[1, :, 4:] = 0.3
    image[2] = 0.5
    white = torch.zeros(3, 8, 8)
    white[:, :, 4:] = 1.0
    torch.testing.assert_close(hog_blocks(image, 4), hog_blocks(white, 4), rtol=0, atol=1e-3)


@pytest.mark.parametrize("cell", [3, 4])
def test_blocks_as_plain_loops_count_them(cell, generator):
    image = torch.rand(3, 14, 18, generator=generator)
    blocks = hog_blocks(image, cell)
    assert blocks.shape == (CHANNELS, 14 // cell - 1, 18 // cell - 1)
    for r in range(blocks.shape[1]):
        for c in range(blocks.shape[2]):
            by_loops = block_by_loops(image, r * cell, c * cell, cell)
            assert blocks[:, r, c].tolist() == pytest.approx(by_loops, abs=1e-5)


def test_a_window_cut_out_by_itself_differs_at_its_border_only(generator):
    """Cut with a pixel to spare on each side it would be the same; cut exactly, the gradients at its border miss their
    neighbours. So blocks with no cell at the border agree, and here only they do.
    """
    image = torch.rand(3, 40, 48, generator=generator)
    shared = hog_blocks(image, 4)[:, 2:7, 3:8]  # a window of 6 x 6 cells, upper left cell (2, 3)
    alone = hog_blocks(image[:, 8:32, 12:36], 4)
    assert alone.shape == shared.shape
    torch.testing.assert_close(alone[:, 1:-1, 1:-1], shared[:, 1:-1, 1:-1], rtol=0, atol=1e-6)
    assert float((alone - shared)[:, 0].abs().max()) > 1e-3


@pytest.mark.parametrize("size", [(1, 1), (7, 40), (40, 7), (0, 0), (8, 8)])
def test_small_pictures_have_few_blocks_or_none(size):
    blocks = hog_blocks(torch.rand(3, *size), 4)
    assert blocks.shape == (CHANNELS, max(0, size[0] // 4 - 1), max(0, size[1] // 4 - 1))


def test_one_colour_has_no_direction():
    assert float(hog_blocks(torch.full((3, 20, 20), 0.7), 4).abs().max()) == 0
