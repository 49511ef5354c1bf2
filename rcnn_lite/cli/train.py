"""`rcnn-lite train`: look at the data, choose image size and anchors, train, measure, keep."""

import argparse

from rcnn_lite.checkpoints import save_checkpoint
from rcnn_lite.cli.data import Parts, absolute, look_through, open_parts, shrunk
from rcnn_lite.cli.examples import save_examples
from rcnn_lite.cli.run_folder import OTHERS, Progress, begun, log, settle
from rcnn_lite.distributed import leads, processes
from rcnn_lite.evaluation.scorecard import describe, measure
from rcnn_lite.models.defaults import Looks, choose_looks, object_sizes
from rcnn_lite.models.loading import load_model
from rcnn_lite.models.orders import Order
from rcnn_lite.models.recipes import IN_STAGES, RECIPES

OPTIONS = ("model", "data", "seed", "data_seed", "backbone", *OTHERS)
LEARNS = {
    "mask_rcnn": "masks",
    "keypoint_rcnn": "keypoints",
}  # what a model needs beside boxes, by the start of its name
WITHOUT_ANCHORS = ("rcnn", "sppnet", "fast_rcnn", "hog", "regression")
LEVELS = 5  # of the pyramid


def run(args: argparse.Namespace) -> int:
    """Everything that the command does; under torchrun, one of the processes that do it together."""
    with processes(args.device):
        train(args)
    return 0


def train(args: argparse.Namespace) -> None:
    """From the command line to the files in the run's folder."""
    given = {name: getattr(args, name) for name in OPTIONS} | {"data": absolute(args.data)}
    options = settle(args.out, given, args.resume)
    if leads():
        log(args.out, args.command_line)
    look = lambda data, name: look_through(data, name, args.strict, lambda text: say(args, text))  # noqa: E731
    parts, looks, words = prepare(open_parts(holding_out(options), look, args.test_images), options)
    held_out = f", {len(parts.held_out)} held out" if parts.held_out else ""
    say(args, f"{len(parts.train)} pictures to learn from{held_out}; {words}")
    note = {"command": args.command_line, "seed": options["seed"], "data": parts.train.fingerprint}
    if options["data"] != "scenes":
        note |= {"dataset": options["data"], "picture_side": looks.training_sides[-1]}
    progress = Progress(args.out, parts.held_out, note)
    chosen = {name: options[name] for name in ("seed", "backbone", "size", "proposals", "finetune", "batch", "layer")}
    order = Order(args.out, **chosen, device=args.device, workers=args.workers, looks=looks, report=progress)
    with begun(args.out, options, words, args.command_line):
        model, training = RECIPES[options["model"]](parts.train, order)
    if leads():
        finish(model, training, parts.test, progress, args)


def holding_out(options: dict) -> dict:
    """The options, without held-out pictures for a model that cannot be measured on them. ValueError if some were asked
    for.
    """
    if options["model"] not in IN_STAGES:
        return options
    if options["held_out"]:
        raise ValueError(
            f"--held-out means nothing to --model {options['model']}: it can detect nothing before its end"
        )
    return options | {"held_out": 0}


def prepare(parts: Parts, options: dict) -> tuple[Parts, Looks | None, str]:
    """The parts with pictures no larger than is needed; the image size and anchors that were chosen for them, and what
    to say of it.

    Of the scenes nothing is chosen, unless the user gives a size or anchors: the models' own numbers are for them.
    """
    if options["data"] == "scenes" and options["short_side"] is None and options["anchors"] is None:
        return parts, None, "image size and anchors are the model's own"
    looks = choose(parts.train, options)
    anchored = options["model"] not in WITHOUT_ANCHORS
    words = str(looks) if anchored else f"image size {looks.short_side} (short side; larger pictures are shrunk)"
    return shrunk(parts, looks.training_sides[-1]), looks, words


def choose(train, options: dict) -> Looks:
    """Image size and anchors for the training pictures. ValueError where they lack what the model learns from."""
    model, anchors = options["model"], options["anchors"]
    if anchors is not None and model in WITHOUT_ANCHORS:
        raise ValueError(f"--anchors means nothing to --model {model}")
    require_annotated(train, model, options["data"])
    levels = LEVELS if model.endswith("_fpn") else None
    return choose_looks(object_sizes(train), levels, options["short_side"], anchors)


def require_annotated(train, model: str, spec: str) -> None:
    """ValueError for a model that learns from masks or keypoints where the first object has none."""
    for start, needed in LEARNS.items():
        if model.startswith(start):
            targets = (train[i][1] for i in range(len(train)))
            first = next((target for target in targets if len(target["boxes"])), {})
            if first and needed not in first:
                raise ValueError(
                    f"{model} learns from {needed}, and {spec} has none: choose another model, say faster_rcnn"
                )


def finish(model, training: dict, test, progress: Progress, args: argparse.Namespace) -> None:
    """Keep the last model; measure the best one, on the test pictures, and draw what it finds."""
    tensors, description = model.to_checkpoint()
    last = args.out / "last.safetensors"
    best = progress.best
    if best is not None:
        save_checkpoint(last, tensors, description | progress.note | training)
        model, _ = load_model(best, args.device)
        tensors, description = model.to_checkpoint()
    metrics, _ = measure(model, test)
    for file in {best or last, *([args.checkpoint] if args.checkpoint else [])}:
        note = progress.note | progress.chosen | training | {"metrics": metrics}
        save_checkpoint(file, tensors, description | note)
    save_examples(args.out / "examples.png", model, test)
    say(args, f"on the test split, the {'best' if best else 'last'} model:\n{describe(metrics)}")
    say(args, f"saved as {args.checkpoint or best or last}; see {args.out} for the rest")


def say(args: argparse.Namespace, text: str) -> None:
    """To the user, and into the run's log; of several processes only the first has something to say."""
    if leads():
        print(text)
        log(args.out, text)
