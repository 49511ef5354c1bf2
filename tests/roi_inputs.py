"""Feature maps and RoIs of every kind that the tests of pooling share."""

import torch

SCALE = 1 / 16


def feature_map(generator, count=2, channels=5, height=13, width=17, dtype=torch.float32):
    return torch.randn(count, channels, height, width, generator=generator, dtype=dtype)


def odd_rois(generator, count=60, dtype=torch.float32) -> torch.Tensor:
    """Random RoIs of a 208 x 272 picture, then a tiny one, one without area, a huge one, and three outside."""
    corners = torch.rand(count, 2, 2, generator=generator, dtype=dtype) * torch.tensor([272.0, 208.0], dtype=dtype)
    image = torch.randint(2, (count, 1), generator=generator).to(dtype)
    odd = [
        [0, 30, 30, 30.5, 30.2],
        [1, 40, 40, 40, 40],
        [0, -500, -400, 900, 800],
        [1, 250, 190, 400, 300],
        [0, 5000, 5000, 5100, 5100],
        [1, -90, -90, -60, -60],
        [0, 8, 24, 120, 152],  # corners on halves of a cell: 0.5, 1.5, 7.5, 9.5
    ]
    return torch.cat((torch.cat((image, corners.amin(1), corners.amax(1)), 1), torch.tensor(odd, dtype=dtype)))


def forward_and_gradient(function, features, rois):
    leaf = features.clone().requires_grad_()
    pooled = function(leaf, rois)
    pooled.backward(torch.linspace(-1, 1, pooled.numel(), dtype=pooled.dtype).view_as(pooled))
    return pooled.detach(), leaf.grad
