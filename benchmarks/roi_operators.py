"""RoI pooling and RoIAlign against torchvision's, forward and forward + backward, at four sizes from small to large:
milliseconds, and by how much the process grows at most.
"""

from collections.abc import Callable
from functools import partial

import torch
import torchvision
from harness import compare, write_table
from memory import peak

from rcnn_lite.regions.roi_align import roi_align
from rcnn_lite.regions.roi_pool import roi_pool

THREADS = 2
SIZES = ((112, 16, 16, 300), (112, 38, 50, 300), (256, 38, 50, 1000), (256, 50, 68, 2000))
SCALE = 1 / 16


def made_input(channels: int, height: int, width: int, count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two random maps, ``count`` random RoIs on them, and a gradient for 7 x 7 bins."""
    generator = torch.Generator().manual_seed(count)
    features = torch.randn(2, channels, height, width, generator=generator)
    corners = torch.rand(count, 2, 2, generator=generator) * torch.tensor([width / SCALE, height / SCALE])
    image = torch.randint(2, (count, 1), generator=generator).float()
    rois = torch.cat((image, corners.amin(1), corners.amax(1)), dim=1)
    return features, rois, torch.randn(count, channels, 7, 7, generator=generator)


def forward(pool, features, rois, _):
    with torch.no_grad():
        return pool(features, rois)


def forward_backward(pool, features, rois, gradient):
    leaf = features.clone().requires_grad_()
    pool(leaf, rois).backward(gradient)
    return leaf.grad


OPERATORS = {
    "RoI pooling": (
        lambda f, r: roi_pool(f, r, 7, SCALE),
        lambda f, r: torchvision.ops.roi_pool(f, r, 7, SCALE),
    ),
    "RoIAlign": (
        lambda f, r: roi_align(f, r, 7, SCALE, 2),
        lambda f, r: torchvision.ops.roi_align(f, r, 7, SCALE, 2, True),
    ),
    "RoIAlign, as many points as cells": (
        lambda f, r: roi_align(f, r, 7, SCALE, -1),
        lambda f, r: torchvision.ops.roi_align(f, r, 7, SCALE, -1, True),
    ),
}
TIMED = ("RoI pooling", "RoIAlign")  # the papers' ways
MEASURED = ("RoIAlign", "RoIAlign, as many points as cells")  # memory


def step_of(operator: str, side: int, size: tuple[int, int, int, int]) -> Callable[[], object]:
    """Forward + backward by ours (side 0) or the peer (1), for memory; what compiles has done so on a smaller input."""
    torch.set_num_threads(THREADS)
    pool = OPERATORS[operator][side]
    forward_backward(pool, *made_input(8, 9, 9, 2))
    return partial(forward_backward, pool, *made_input(*size))


def memory_table() -> list[str]:
    """Peak growth in MB at every size."""
    lines = ["| peak memory, MB, forward + backward | ours | peer | ratio |", "|---|---:|---:|---:|"]
    for operator in MEASURED:
        for size in SIZES:
            ours, peer = (peak(partial(step_of, operator, side, size)) / 1e6 for side in range(2))
            lines.append(f"| {operator}, (C, H, W, R) = {size} | {ours:.1f} | {peer:.1f} | **{ours / peer:.2f}** |")
    return lines


def main() -> None:
    torch.set_num_threads(THREADS)
    rows = []
    for operator in TIMED:
        ours, peer = OPERATORS[operator]
        for size in SIZES:
            given = made_input(*size)
            for what in (forward, forward_backward):
                torch.testing.assert_close(what(ours, *given), what(peer, *given), rtol=1e-3, atol=1e-3)
                name = f"{operator}, {what.__name__.replace('_', ' + ')}, (C, H, W, R) = {size}"
                pair = (lambda f=pool, w=what, g=given: w(f, *g) for pool in (ours, peer))
                rows.append(compare(name, *pair, repeats=11))
    note = "Peers: `torchvision.ops.roi_pool` and `torchvision.ops.roi_align` (aligned, 2 x 2 points a bin) on the CPU."
    write_table("roi_operators", "Pooling of regions", rows, "\n".join([note, "", *memory_table()]))


if __name__ == "__main__":
    main()
