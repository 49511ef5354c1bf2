"""Mask R-CNN with one thing changed, and the tables that the changes make: claims M1 to M5 of the paper.

All are trained alike, in little time and on smaller pictures than the models that ship: the base of all comparisons is
the detector with one map, RoIAlign that averages, sigmoids, and a fully convolutional mask branch.
"""

from dataclasses import dataclass, field, replace

from rcnn_lite.models.faster_rcnn import FasterRCNN
from rcnn_lite.models.fpn_rcnn import MaskRCNNFPN, PyramidSettings
from rcnn_lite.models.mask_rcnn import MaskRCNN


@dataclass(frozen=True)
class Variant:
    """A model and which of its settings are not its own."""

    kind: type = MaskRCNN
    settings: dict = field(default_factory=dict)
    mask: dict = field(default_factory=dict)  # of its mask branch


AS_WIDE = {"heads": MaskRCNN.Settings().heads, "pyramid": PyramidSettings(width=112)}  # as one map; what ships is not
VARIANTS = {  # what matters most first
    "base": Variant(),
    "roi_pool": Variant(settings={"pooling": "roi_pool"}),
    "roi_warp": Variant(settings={"pooling": "roi_warp"}),
    "no_masks": Variant(FasterRCNN, settings={"pooling": "roi_align", "heads": MaskRCNN.Settings().heads}),
    "fpn": Variant(MaskRCNNFPN, settings=AS_WIDE),
    "softmax": Variant(mask={"competing": True}),
    "mlp": Variant(settings={"mask_head": "mlp"}),
    "roi_align_max": Variant(settings={"pooling": "roi_align_max"}),
    "roi_pool_average": Variant(settings={"pooling": "roi_pool_average"}),
    "roi_warp_max": Variant(settings={"pooling": "roi_warp_max"}),
}
POOLINGS = {
    ("pool", "max"): "roi_pool",
    ("pool", "average"): "roi_pool_average",
    ("warp", "max"): "roi_warp_max",
    ("warp", "average"): "roi_warp",
    ("align", "max"): "roi_align_max",
    ("align", "average"): "base",
}


def settings_of(variant: str, side: int):
    """The settings of a short training, with pictures of `side` pixels: what is a length shrinks with them."""
    chosen = VARIANTS[variant]
    usual = chosen.kind.Settings(**chosen.settings)
    factor = side / usual.short_side
    sizes = tuple(size * factor for size in usual.rpn.anchor_sizes)
    changed = {"training_sides": (side,), "short_side": side, "rpn": replace(usual.rpn, anchor_sizes=sizes)}
    if hasattr(usual, "pyramid"):
        changed["pyramid"] = replace(usual.pyramid, canonical=usual.pyramid.canonical * factor)
    if chosen.mask:
        changed["mask"] = replace(usual.mask, **chosen.mask)
    return replace(usual, **changed)


def compare_poolings(bench) -> dict | None:
    """M1, table 2c: where a region is looked at, and what is kept of a bin."""
    table = bench.table({f"{where} {what}": name for (where, what), name in POOLINGS.items()}, "align average")
    for where, what in POOLINGS if table else ():
        if row := table["rows"].get(f"{where} {what}"):
            row |= {"where": where, "kept": what}
    return table


def compare_losses(bench) -> dict | None:
    """M2, table 2b: a sigmoid for each class, or a softmax over all."""
    return bench.table({"sigmoid": "base", "softmax": "softmax"}, "sigmoid")


def compare_maps(bench) -> dict | None:
    """M3, table 2a: one map at stride 16, or a pyramid."""
    return bench.table({"C4": "base", "FPN": "fpn"}, "C4")


def compare_tasks(bench) -> dict | None:
    """M4, table 3: the boxes of a detector that learns masks too, and of one that does not."""
    return bench.table({"Faster R-CNN": "no_masks", "Mask R-CNN": "base"}, "Faster R-CNN")


def compare_branches(bench) -> dict | None:
    """M5, table 2e: a mask branch of convolutions, or of fully connected layers."""
    return bench.table({"fcn": "base", "mlp": "mlp"}, "fcn")
