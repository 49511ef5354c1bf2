"""`rcnn-lite evaluate`: how good a detector is on one split of a data set."""

import argparse

from rcnn_lite.checkpoints import save_records
from rcnn_lite.cli.data import known_to, look_through, open_split
from rcnn_lite.datasets.shrunk import Shrunk
from rcnn_lite.evaluation.scorecard import describe, measure
from rcnn_lite.models.loading import load_model


def run(args: argparse.Namespace) -> int:
    """Everything that the command does."""
    changed = {"regress": False} if args.without_regression else {}
    model, metadata = load_model(args.checkpoint, args.device, **changed)
    spec = args.data or metadata.get("dataset", "scenes")
    data = look_through(open_split(spec, args.split, args.images), f"{args.split} pictures", args.strict, print)
    if side := metadata.get("picture_side"):
        data = Shrunk(data, side)
    metrics, records = measure(model, known_to(data, model.classes))
    print(describe(metrics))
    if args.save_detections:
        note = {"command": args.command_line, "data": data.fingerprint, "metrics": metrics}
        save_records(args.save_detections, records, note | {"classes": list(model.classes)})
        print(f"detections saved as {args.save_detections}")
    return 0
