"""The command `rcnn-lite`: train a detector, find objects in pictures, measure a detector, run the course."""

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from rcnn_lite import __version__, course

# Those of models.recipes, named here so that --help need not load torch.
MODELS = (
    "rcnn",
    "sppnet",
    "fast_rcnn",
    "rpn",
    "faster_rcnn",
    "faster_rcnn_alternating",
    "faster_rcnn_fpn",
    "mask_rcnn",
    "mask_rcnn_fpn",
    "keypoint_rcnn",
    "keypoint_rcnn_fpn",
    "hog",
    "regression",
)
DESCRIPTION = "Detectors of the R-CNN family, from selective search to Mask R-CNN."
EPILOG = """\
examples:
  rcnn-lite train --model rcnn --data scenes --out runs/rcnn     train on the scenes (again: resumes)
  rcnn-lite evaluate --checkpoint runs/rcnn/rcnn.safetensors     measure on the test scenes
  rcnn-lite detect *.jpg --checkpoint rcnn_scenes --out found    find objects in photographs
  rcnn-lite course 00 01                                         execute notebooks 00 and 01

Scenes and other files that can be made again are kept under RCNN_LITE_CACHE (default ~/.cache/rcnn_lite).
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line (default: this process's) and return its exit status: 0 done, 1 failed, 130 interrupted."""
    args = build_parser().parse_args(argv)
    args.command_line = "rcnn-lite " + shlex.join(sys.argv[1:] if argv is None else argv)
    try:
        return args.run(args)
    except (ValueError, RuntimeError, OSError) as error:
        print(f"rcnn-lite: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("rcnn-lite: interrupted; the same command goes on from the last stage that was finished", file=sys.stderr)
        return 130


def build_parser() -> argparse.ArgumentParser:
    """The whole command line, one subparser a command."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("rcnn-lite", description=DESCRIPTION, epilog=EPILOG, formatter_class=raw)
    parser.add_argument("--version", action="version", version=f"rcnn-lite {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_train(commands)
    _add_detect(commands)
    _add_evaluate(commands)
    notebooks = commands.add_parser("course", help="execute the notebooks and make pages of them")
    course.add_arguments(notebooks)
    notebooks.set_defaults(run=course.run)
    return parser


def _add_train(commands) -> None:
    train = commands.add_parser(
        "train",
        help="train a detector",
        description="Train a detector and measure it on the test split. The stages of rcnn and sppnet that RUN already "
        "holds are not repeated, fast_rcnn and all later ones go on where they last saved their state, so an "
        "interrupted training goes on when the same command is given again; hog and regression start anew.",
    )
    train.add_argument("--model", choices=MODELS, required=True, help="which detector")
    train.add_argument("--data", choices=("scenes",), default="scenes", help="what to train on (default: %(default)s)")
    train.add_argument("--out", type=Path, metavar="RUN", required=True, help="folder of the run")
    train.add_argument(
        "--checkpoint", type=Path, metavar="FILE", help="where to save it (default: RUN/MODEL.safetensors)"
    )
    train.add_argument("--images", type=_count, metavar="N", help="use the first N training pictures (default: all)")
    train.add_argument(
        "--test-images", type=_count, metavar="N", help="measure on the first N test pictures (default: all)"
    )
    train.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of first weights and draws (default: %(default)s)"
    )
    train.add_argument(
        "--data-seed", type=int, default=0, metavar="N", help="which scenes there are (default: %(default)s)"
    )
    train.add_argument(
        "--backbone", default="lite0", metavar="NAME", help="lite0, alexnet, vgg16 or resnet50 (default: %(default)s)"
    )
    train.add_argument("--size", type=_count, metavar="S", help="side of a warped region in pixels (default: 96)")
    train.add_argument(
        "--proposals", type=_count, metavar="N", help="regions looked at in a picture (default: 300; fast_rcnn: 2000)"
    )
    text = "batches that the network learns from (default: the model's; rcnn and sppnet, 0: none)"
    train.add_argument("--finetune", type=_whole, metavar="N", help=text)
    train.add_argument("--layer", metavar="NAME", help="what the SVMs see: pool5, fc6 or fc7 (default: the model's)")
    _add_device(train)
    train.set_defaults(run=run_train)


def _add_detect(commands) -> None:
    detect = commands.add_parser(
        "detect",
        help="find objects in pictures",
        description="Find objects in pictures. DIR receives each picture with its boxes drawn, and detections.json in "
        "the format of COCO results (boxes as x y width height in the picture's own pixels).",
    )
    detect.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="picture files")
    _add_checkpoint(detect)
    detect.add_argument("--out", type=Path, metavar="DIR", required=True, help="folder for the results")
    detect.add_argument(
        "--min-score",
        type=float,
        metavar="S",
        help="draw detections from this score on (default: -0.2 for models with SVMs, whose margin reaches from -1 "
        "to 1, 0.5 for fast_rcnn and later ones, whose scores are probabilities)",
    )
    detect.add_argument(
        "--short-side",
        type=_count,
        default=256,
        metavar="N",
        help="shrink larger pictures to this many pixels before detecting (default: %(default)s)",
    )
    _add_device(detect)
    detect.set_defaults(run=run_detect)


def _add_evaluate(commands) -> None:
    evaluate = commands.add_parser(
        "evaluate",
        help="measure a detector",
        description="Average precision after VOC and COCO, and seconds a picture.",
    )
    _add_checkpoint(evaluate)
    evaluate.add_argument("--data", choices=("scenes",), default="scenes", help="default: %(default)s")
    evaluate.add_argument("--split", default="test", help="train, test or photographs (default: %(default)s)")
    evaluate.add_argument("--images", type=_count, metavar="N", help="the first N pictures only")
    evaluate.add_argument("--without-regression", action="store_true", help="leave the boxes as they were proposed")
    evaluate.add_argument("--save-detections", type=Path, metavar="FILE", help="keep the detections and proposals")
    _add_device(evaluate)
    evaluate.set_defaults(run=run_evaluate)


def _add_checkpoint(parser) -> None:
    text = "a file, or the name of one that ships with the project, such as rcnn_scenes"
    parser.add_argument("--checkpoint", required=True, metavar="FILE", help=text)


def _add_device(parser) -> None:
    parser.add_argument("--device", default="cpu", help="torch device, such as cpu or cuda (default: %(default)s)")


def _count(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _whole(text: str) -> int:
    return 0 if text == "0" else _count(text)


def run_train(args: argparse.Namespace) -> int:
    """`rcnn-lite train`."""
    from rcnn_lite.checkpoints import save_checkpoint
    from rcnn_lite.datasets.scenes import Scenes
    from rcnn_lite.evaluation.scorecard import describe, measure
    from rcnn_lite.models.recipes import RECIPES, Order

    data = Scenes("train", n=args.images, seed=args.data_seed)
    order = Order(args.out, args.seed, args.backbone, args.size, args.proposals, args.finetune, args.layer, args.device)
    model, training = RECIPES[args.model](data, order)
    metrics, _ = measure(model, Scenes("test", n=args.test_images, seed=args.data_seed))
    tensors, description = model.to_checkpoint()
    note = {"command": args.command_line, "seed": args.seed, "data": data.fingerprint, "metrics": metrics}
    file = args.checkpoint or args.out / f"{args.model}.safetensors"
    save_checkpoint(file, tensors, description | note | training)
    print(f"{describe(metrics)}\nsaved as {file}")
    return 0


def run_evaluate(args: argparse.Namespace) -> int:
    """`rcnn-lite evaluate`."""
    from rcnn_lite.checkpoints import save_records
    from rcnn_lite.datasets.scenes import Scenes
    from rcnn_lite.evaluation.scorecard import describe, measure
    from rcnn_lite.models.loading import load_model

    model, _ = load_model(args.checkpoint, args.device, **({"regress": False} if args.without_regression else {}))
    data = Scenes(args.split, n=args.images)
    metrics, records = measure(model, data)
    print(describe(metrics))
    if args.save_detections:
        note = {"command": args.command_line, "data": data.fingerprint, "metrics": metrics}
        save_records(args.save_detections, records, note | {"classes": list(data.classes)})
        print(f"detections saved as {args.save_detections}")
    return 0


def run_detect(args: argparse.Namespace) -> int:
    """`rcnn-lite detect`."""
    from tqdm import tqdm

    from rcnn_lite.cache import write_atomically
    from rcnn_lite.images import read_image
    from rcnn_lite.models.loading import load_model
    from rcnn_lite.models.pictures import coco_results, detect_in_picture, draw_on_picture

    model, _ = load_model(args.checkpoint, args.device)
    worth_drawing = model.confident if args.min_score is None else args.min_score
    results, failed = [], 0
    for number, path in enumerate(tqdm(args.images, desc="detecting", unit="image", disable=None), start=1):
        try:
            image = read_image(path)
        except ValueError as error:
            tqdm.write(f"rcnn-lite: {error}", file=sys.stderr)
            failed += 1
            continue
        found = detect_in_picture(model, image, args.short_side)
        results += coco_results(found, number, path.name)
        picture = draw_on_picture(image, found, model.classes, worth_drawing)
        name = f"{number:04d}_{path.stem}.jpg"  # files of the same name from two folders stay apart
        write_atomically(args.out / name, lambda file, picture=picture: picture.save(file, quality=92))
    text = json.dumps(results, indent=1)
    write_atomically(args.out / "detections.json", lambda file: file.write_text(text, encoding="utf-8"))
    print(f"{len(args.images) - failed} of {len(args.images)} pictures done: {args.out}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
