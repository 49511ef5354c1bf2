"""Feature pyramids: maps of every resolution that all know what is in the picture (notebook 15).

Lin et al. 2017, figure 3 as code. A fine map of a backbone knows where things are, a coarse one what they are. So the
coarse ones are enlarged and added, level by level:

    c5 -> 1x1 ----------------+-> 3x3 -> p5 -> every other cell -> p6
                              | x 2
    c4 -> 1x1 ----------- + <-+
                          +-> 3x3 -> p4
    c3 -> 1x1 ...

All levels have the same number of channels, so that one head serves them all. Names of the layers are torchvision's, so
that its weights can be loaded.

Notation: L levels, the finest first, level i of (N, C_i, h_i, w_i); d channels of the pyramid.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Generator, Tensor, nn


@dataclass(frozen=True)
class FPNSettings:
    """The numbers of the pyramid; sections are those of Lin et al. 2017."""

    width: int = 256  # section 3: d
    extra_level: bool = True  # section 4.1, footnote: P6, for the RPN's largest anchors only


class FeaturePyramid(nn.Module):
    """Maps of L stages of a backbone, each half as fine as the one before -> L maps of d channels, or L + 1.

    Convolutions start uniformly with variance 1 / fan_in, biases at zero. There is no non-linearity: the authors found
    it of little use (section 3).
    """

    def __init__(
        self,
        channels: Sequence[int],
        settings: FPNSettings = FPNSettings(),
        generator: Generator | None = None,
    ):
        super().__init__()
        if len(channels) == 0:
            raise ValueError("channels must have an entry for at least one level")
        self.settings = settings
        lateral = [nn.Conv2d(count, settings.width, kernel_size=1) for count in channels]
        smoothing = [nn.Conv2d(settings.width, settings.width, kernel_size=3, padding=1) for _ in channels]
        for layer in (*lateral, *smoothing):
            nn.init.kaiming_uniform_(layer.weight, a=1, generator=generator)
            nn.init.zeros_(layer.bias)
        self.inner_blocks = nn.ModuleList(nn.Sequential(layer) for layer in lateral)
        self.layer_blocks = nn.ModuleList(nn.Sequential(layer) for layer in smoothing)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Maps (N, C_i, h_i, w_i), the finest first -> maps (N, d, h_i, w_i), and the extra level, half of the last.

        ValueError for another number of maps than of levels, and for a map that is not half of the one before.
        """
        if len(maps) != len(self.inner_blocks):
            raise ValueError(f"maps must be of {len(self.inner_blocks)} levels, got {len(maps)}")
        merged = [block(level) for block, level in zip(self.inner_blocks, maps, strict=True)]  # (N, d, h_i, w_i)
        for i in reversed(range(len(merged) - 1)):
            merged[i] = merged[i] + enlarge(merged[i + 1], merged[i].shape[2:])
        levels = [block(level) for block, level in zip(self.layer_blocks, merged, strict=True)]
        if self.settings.extra_level:
            levels.append(levels[-1][:, :, ::2, ::2])  # max pooling of one cell with stride 2
        return levels


def enlarge(coarse: Tensor, size: tuple[int, int]) -> Tensor:
    """Each cell as 2 x 2 cells (section 3: nearest neighbour), cut to the finer map's size: (N, d, h, w).

    A map of 25 cells has become one of 13 where a half cell was kept, and of 12 where not. Cell i of the finer map lies
    in cell i // 2 of the coarse one in either case, so of 26 cells the last is cut off, and of 24 the last repeated.
    Interpolation to the size of the finer map, torchvision's way, is the same in the first case; in the second it
    stretches the coarse map, and cells get their neighbour's value. ValueError where the sizes differ by more.

    >>> import torch
    >>> enlarge(torch.tensor([[[[1.0, 2.0]]]]), (1, 3))
    tensor([[[[1., 1., 2.]]]])
    """
    missing = [fine - 2 * cells for fine, cells in zip(size, coarse.shape[2:], strict=True)]
    if not all(-1 <= m <= 1 for m in missing):
        raise ValueError(f"a map of {tuple(coarse.shape[2:])} cells is not half of one of {tuple(size)}")
    doubled = F.interpolate(coarse, scale_factor=2, mode="nearest")[:, :, : size[0], : size[1]]
    if max(missing) <= 0:
        return doubled
    return F.pad(doubled, (0, max(missing[1], 0), 0, max(missing[0], 0)), mode="replicate")
