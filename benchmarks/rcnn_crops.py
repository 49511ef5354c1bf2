"""How a region is cut out (R-CNN, appendix A): four ways, each with its own features and SVMs, on some scenes."""

from dataclasses import replace
from pathlib import Path

from rcnn_parts import Bench, detect, scores, spread
from torch import Tensor
from torch.utils.data import Subset

from rcnn_lite.heads.svm import SVMSettings
from rcnn_lite.models.backbone import build_backbone
from rcnn_lite.models.rcnn import RCNN, RCNNSettings
from rcnn_lite.models.rcnn_training import RCNNTraining
from rcnn_lite.regions.warp import masked_square_regions, square_regions

SCENES, PROPOSALS = 150, 100  # training scenes, and proposals of each scene: features are extracted four times


class SquareRCNN(RCNN):
    """The tightest square with context."""

    def crop(self, image: Tensor, boxes: Tensor) -> Tensor:
        """(3, H, W), (n, 4) -> (n, 3, S, S)."""
        return square_regions(image, boxes, self.settings.size, self.settings.context, self.backbone.mean.flatten())


class MaskedSquareRCNN(RCNN):
    """The tightest square without context."""

    def crop(self, image: Tensor, boxes: Tensor) -> Tensor:
        """(3, H, W), (n, 4) -> (n, 3, S, S)."""
        mean = self.backbone.mean.flatten()
        return masked_square_regions(image, boxes, self.settings.size, self.settings.context, mean)


P = RCNNSettings().context
WAYS = {  # name: what cuts out, pixels of context
    "warp, context": (RCNN, P),
    "warp, no context": (RCNN, 0),
    "tightest square with context": (SquareRCNN, P),
    "tightest square without context": (MaskedSquareRCNN, P),
}


def measure_crops(out: Path, train, test, full: Bench) -> dict:
    """Claim R5: mAP of each way with ImageNet's network, SVMs on fc6, and what context is worth to the warp.

    `full` has the regions of all scenes; its first proposals of the first scenes are used.
    """
    regions = [_first(region) for region in full.train.regions[:SCENES]]
    test_regions = [_first(region) for region in full.test.regions]
    targets = [test[i][1] for i in range(len(test))]
    rows, found = [], {}
    for number, (name, (kind, context)) in enumerate(WAYS.items()):
        model = kind(build_backbone("lite0"), train.classes, replace(RCNNSettings(), context=context))
        bench = Bench(model, f"crops{number}", out, regions, test_regions).fill(Subset(train, range(SCENES)), test)
        svms = bench.fit_svms(bench.train, "fc6", SVMSettings(), "all")
        ridge = bench.fit_ridge(bench.train, RCNNTraining().ridge_lambda, "all")
        found[name] = detect(bench.detector(kind, "fc6", svms, ridge, regress=False), bench.test)
        regressed = detect(bench.detector(kind, "fc6", svms, ridge), bench.test)
        rows.append({"way": name, "context": context} | scores(found[name], targets))
        rows[-1]["with regression"] = scores(regressed, targets)
    gain = spread(found["warp, context"], found["warp, no context"], targets)
    return {"scenes": SCENES, "proposals": PROPOSALS, "size": RCNNSettings().size, "rows": rows, "gain": gain}


def _first(region: dict[str, Tensor]) -> dict[str, Tensor]:
    return region | {"proposals": region["proposals"][:PROPOSALS]}
