"""The second stage of Fast and Faster R-CNN: pooled region features -> class scores and a box for each class.

Figure 1 of Fast R-CNN from the RoI feature vector on: two fully connected layers, then two siblings. Names of the
layers are torchvision's, so that its weights can be loaded. Notation: R RoIs, C x P x Q pooled features, D numbers
between the layers, K classes with background (notebook 10).
"""

import torch
from torch import Generator, Tensor, nn


class TwoMLPHead(nn.Module):
    """fc6 and fc7, each followed by ReLU: pooled features (R, C, P, Q) -> (R, D).

    Weights start as torch starts linear layers, drawn from `generator`.
    """

    def __init__(self, in_features: int, size: int = 1024, generator: Generator | None = None):
        super().__init__()
        self.fc6, self.fc7 = nn.Linear(in_features, size), nn.Linear(size, size)
        for layer in (self.fc6, self.fc7):
            bound = layer.in_features**-0.5
            for parameter in (layer.weight, layer.bias):
                nn.init.uniform_(parameter, -bound, bound, generator=generator)

    def forward(self, pooled: Tensor) -> Tensor:
        """(R, C, P, Q), with C P Q = in_features -> (R, D)."""
        return self.fc7(self.fc6(pooled.flatten(1)).relu()).relu()


class FastRCNNPredictor(nn.Module):
    """The sibling layers: features (R, D) -> class logits (R, K), box deltas (R, K, 4).

    Section 2.3: weights of the classifier start with a standard deviation of 0.01, those of the box layer with 0.001,
    all biases at zero. So the first boxes are the proposals, nearly unmoved.
    """

    def __init__(self, in_features: int, num_classes: int, generator: Generator | None = None):
        super().__init__()
        self.cls_score, self.bbox_pred = nn.Linear(in_features, num_classes), nn.Linear(in_features, 4 * num_classes)
        for layer, deviation in ((self.cls_score, 0.01), (self.bbox_pred, 0.001)):
            nn.init.normal_(layer.weight, std=deviation, generator=generator)
            nn.init.zeros_(layer.bias)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(R, D) -> (R, K), (R, K, 4)."""
        return self.cls_score(features), self.bbox_pred(features).unflatten(1, (-1, 4))


@torch.no_grad()
def truncated_svd(layer: nn.Linear, rank: int) -> nn.Sequential:
    """Two thin layers in the place of one: W (u, v) ~ U_t S_t V_t', Fast R-CNN section 3.1 and equation 5.

    The first is S_t V_t' (t, v) without biases, the second U_t (u, t) with the biases of W. That is t (u + v) products
    instead of u v: worth it below t = u v / (u + v). No other matrix of rank t is closer to W. ValueError unless
    1 <= rank <= min(u, v).

    >>> thin = truncated_svd(nn.Linear(100, 50), rank=8)
    >>> [tuple(p.shape) for p in thin.parameters()]
    [(8, 100), (50, 8), (50,)]
    """
    outputs, inputs = layer.weight.shape
    if not 1 <= rank <= min(outputs, inputs):
        raise ValueError(
            f"rank must lie in 1 .. {min(outputs, inputs)} for a layer of {inputs} to {outputs}, got {rank}"
        )
    u, s, v = torch.linalg.svd(layer.weight, full_matrices=False)  # (u, m), (m,), (m, v)
    first = nn.Linear(inputs, rank, bias=False)
    second = nn.Linear(rank, outputs, bias=layer.bias is not None)
    first.weight.copy_(s[:rank, None] * v[:rank])  # Fast R-CNN, equation 5
    second.weight.copy_(u[:, :rank])  # Fast R-CNN, equation 5
    if layer.bias is not None:
        second.bias.copy_(layer.bias)
    return nn.Sequential(first, second).to(layer.weight)
