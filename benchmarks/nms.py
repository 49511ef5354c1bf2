"""Greedy NMS against torchvision's, on the proposals that detectors feed it: many boxes around few objects."""

import torch
import torchvision
from harness import compare, write_table

from rcnn_lite.nms import nms

THREADS = 2


def crowded_boxes(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """``count`` boxes scattered around 60 objects of a 600 x 1,000 picture, and random scores."""
    generator = torch.Generator().manual_seed(seed)
    centre = torch.rand(60, 2, generator=generator) * torch.tensor([1000.0, 600.0])
    size = 30 + 200 * torch.rand(60, 2, generator=generator)
    which = torch.randint(60, (count,), generator=generator)
    centre = centre[which] + 0.15 * size[which] * torch.randn(count, 2, generator=generator)
    size = size[which] * torch.exp(0.2 * torch.randn(count, 2, generator=generator))
    return torch.cat((centre - size / 2, centre + size / 2), dim=1), torch.rand(count, generator=generator)


def main() -> None:
    torch.set_num_threads(THREADS)
    rows = []
    for count in (1_000, 6_000, 12_000):
        for threshold in (0.5, 0.7):
            boxes, scores = crowded_boxes(count, seed=count)
            kept = nms(boxes, scores, threshold)
            assert torch.equal(kept, torchvision.ops.nms(boxes, scores, threshold))
            name = f"{count:,} boxes, IoU {threshold}, {len(kept):,} kept"
            rows.append(
                compare(
                    name,
                    lambda b=boxes, s=scores, t=threshold: nms(b, s, t),
                    lambda b=boxes, s=scores, t=threshold: torchvision.ops.nms(b, s, t),
                )
            )
    note = "Ours: `rcnn_lite.nms.nms`, checks of the input included. Peer: `torchvision.ops.nms` on the CPU."
    write_table("nms", "Non-maximum suppression", rows, note, packages=("torchvision",))


if __name__ == "__main__":
    main()
