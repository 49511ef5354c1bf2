"""The whole command line: its commands, their options, and what `--help` says of them. Nothing heavy is loaded."""

import argparse
import importlib
from collections.abc import Callable
from pathlib import Path

from rcnn_lite import __version__, course

# Those of models.recipes, named here so that --help need not load torch.
MODELS = {
    "rcnn": "R-CNN: selective search, warped regions, SVMs",
    "sppnet": "SPPnet: the same regions from one map",
    "fast_rcnn": "Fast R-CNN: one loss for classes and boxes",
    "rpn": "a region proposal network alone: objects of any class",
    "faster_rcnn": "Faster R-CNN, trained all at once",
    "faster_rcnn_alternating": "Faster R-CNN in the paper's four steps",
    "faster_rcnn_fpn": "Faster R-CNN on a feature pyramid",
    "mask_rcnn": "Mask R-CNN: needs masks",
    "mask_rcnn_fpn": "Mask R-CNN on a feature pyramid: needs masks",
    "keypoint_rcnn": "boxes and keypoints: needs keypoints",
    "keypoint_rcnn_fpn": "the same on a feature pyramid",
    "hog": "HOG templates slid over the picture",
    "regression": "one box a class by regression alone",
}
DATA = "scenes, coco:DIR, voc:DIR, penn_fudan:DIR or nuclei:DIR"
DESCRIPTION = "Detectors of the R-CNN family, from selective search to Mask R-CNN."
EPILOG = """\
examples:
  rcnn-lite train --model mask_rcnn --data coco:photos --out runs/mine     train on photographs of one's own
  rcnn-lite train --resume --out runs/mine                                 go on after an interruption
  rcnn-lite evaluate --checkpoint runs/mine/best.safetensors               measure on their test split
  rcnn-lite detect holiday/ --checkpoint runs/mine/best.safetensors --out found
  rcnn-lite detect photo.jpg --checkpoint mask_rcnn_scenes --out found     with a checkpoint that ships
  rcnn-lite detect photo.jpg --checkpoint torchvision:maskrcnn_resnet50_fpn --out found
  rcnn-lite course 00 01                                                   execute notebooks 00 and 01
  torchrun --nproc-per-node 2 -m rcnn_lite.cli train --model faster_rcnn --out runs/two    two processes, one result

"rcnn-lite COMMAND --help" lists the options of a command. Scenes and other files that can be made again are kept
under RCNN_LITE_CACHE (default ~/.cache/rcnn_lite).
"""
TRAIN = """\
Train a detector, and measure it on the test split. RUN receives

  config.json         what was ordered, and what was chosen for these pictures
  log.txt             what happened when
  curves.png          losses and, on held-out pictures, AP50; history.json has the numbers (see below)
  best.safetensors    the model at its best AP50 on held-out pictures (the scenes hold out none; see below)
  last.safetensors    the model at the end
  examples.png        test pictures: what is annotated (left) and what was found (right)

The same command goes on where it was interrupted, and so does --resume --out RUN, which needs no other option: stages
of rcnn and sppnet that are done are not repeated, fast_rcnn and later ones go on where they last saved their state (up
to 100 batches before); hog and regression start anew. A RUN that was begun otherwise is refused.

What is trained in stages (rcnn, sppnet, faster_rcnn_alternating, hog, regression) can detect nothing before its end:
there is no best model of it, and no pictures are held out. Curves are those of rcnn's and sppnet's fine-tuning.
"""
DATA_HELP = """\
data sets:
  scenes              made from photographs that come with the installation
  coco:DIR            DIR/annotations/*.json or DIR/*.json in COCO's format, pictures in DIR/images or DIR
  voc:DIR             VOC's layout: Annotations, JPEGImages, ImageSets/Main; or labels of one's own in it
  penn_fudan:DIR      people and their masks
  nuclei:DIR          the 2018 Data Science Bowl's layout
Splits are the folder's train, val and test; without any, every fifth picture is held out as test. Image size and
anchors are chosen for the pictures from the sizes of their objects, unless they are given.
"""
DETECT = """\
Find objects in pictures. DIR receives each picture with boxes and masks drawn, and

  detections.json     a COCO results file: boxes as x y width height, masks as run lengths, in the picture's own pixels
  pictures.json       the pictures and categories that its numbers mean, as pycocotools' COCO() wants them
"""


def build_parser() -> argparse.ArgumentParser:
    """The whole command line, one subparser a command."""
    parser = argparse.ArgumentParser("rcnn-lite", description=DESCRIPTION, epilog=EPILOG, formatter_class=RAW)
    parser.add_argument("--version", action="version", version=f"rcnn-lite {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_train(commands)
    _add_detect(commands)
    _add_evaluate(commands)
    notebooks = commands.add_parser("course", help="execute the notebooks and make pages of them")
    course.add_arguments(notebooks)
    notebooks.set_defaults(run=course.run)
    return parser


RAW = argparse.RawDescriptionHelpFormatter


def _add_train(commands) -> None:
    names = "\n".join(f"  {name:<25} {text}" for name, text in MODELS.items())
    train = commands.add_parser(
        "train",
        help="train a detector",
        description=TRAIN,
        epilog=f"models:\n{names}\n\n{DATA_HELP}",
        formatter_class=RAW,
    )
    train.add_argument("--model", choices=MODELS, metavar="MODEL", help="which detector, see below")
    train.add_argument("--data", metavar="DATA", help=f"what to train on: {DATA} (default: scenes)")
    train.add_argument("--out", type=Path, metavar="RUN", required=True, help="folder of the run")
    train.add_argument(
        "--resume", action="store_true", help="go on with RUN as it was begun; no other option is needed"
    )
    train.add_argument(
        "--strict", action="store_true", help="stop if anything in the data had to be left out or mended"
    )
    _add_choices(train.add_argument_group("what is trained"))
    _add_amounts(train.add_argument_group("how much"))
    train.add_argument("--checkpoint", type=Path, metavar="FILE", help="save the model (the best one) there too")
    text = "processes that make proposals and, without a GPU, features (default: %(default)s)"
    train.add_argument("--workers", type=_count, default=1, metavar="N", help=text)
    _add_device(train)
    train.set_defaults(run=_command("train"))


def _add_choices(group) -> None:
    text = "lite0, alexnet, vgg16 or resnet50 (default: lite0)"
    group.add_argument("--backbone", metavar="NAME", help=text)
    text = "short side that pictures are brought to (default: from their objects; scenes: the model's)"
    group.add_argument("--short-side", type=_count, metavar="N", help=text)
    text = "sizes of anchors in pixels of that; with a pyramid five, one a level (default: from the objects)"
    group.add_argument("--anchors", type=_size, nargs="+", metavar="S", help=text)
    group.add_argument("--size", type=_count, metavar="S", help="rcnn: side of a warped region in pixels (default: 96)")
    text = "what the SVMs see: pool5, fc6 or fc7 (default: the model's)"
    group.add_argument("--layer", metavar="NAME", help=text)
    text = "regions looked at in a picture (default: 300; fast_rcnn: 2000)"
    group.add_argument("--proposals", type=_count, metavar="N", help=text)
    group.add_argument("--seed", type=int, metavar="N", help="of first weights and draws (default: 0)")
    group.add_argument("--data-seed", type=int, metavar="N", help="which scenes there are (default: 0)")


def _add_amounts(group) -> None:
    text = "batches that the network learns from; rcnn and sppnet: of fine-tuning, 0 for none (default: 10 times "
    text += "through the pictures, from 300 to the model's number; scenes: the model's number)"
    group.add_argument("--batches", "--finetune", dest="finetune", type=_whole, metavar="N", help=text)
    text = (
        "pictures of a batch, of all processes together (default: 2); not of rcnn and sppnet, which learn from regions"
    )
    group.add_argument("--batch", type=_count, metavar="N", help=text)
    text = "use the first N training pictures (default: all)"
    group.add_argument("--images", type=_count, metavar="N", help=text)
    text = "hold N pictures out, to keep the best model (default: an eighth, at most 24; scenes: 0)"
    group.add_argument("--held-out", type=_whole, metavar="N", help=text)
    text = "measure on the first N test pictures (default: all)"
    group.add_argument("--test-images", type=_count, metavar="N", help=text)


def _add_detect(commands) -> None:
    detect = commands.add_parser("detect", help="find objects in pictures", description=DETECT, formatter_class=RAW)
    text = "picture files, folders of them, or patterns such as 'photos/*.jpg'"
    detect.add_argument("images", nargs="+", metavar="IMAGES", help=text)
    _add_checkpoint(detect)
    detect.add_argument("--out", type=Path, metavar="DIR", required=True, help="folder for the results")
    text = "draw detections from this score on (default: -0.2 for models with SVMs, whose margin reaches from -1 to 1, "
    text += "0.5 for fast_rcnn and later ones, whose scores are probabilities)"
    detect.add_argument("--min-score", type=float, metavar="S", help=text)
    text = (
        "shrink larger pictures to this many pixels before detecting (default: as the model was trained; scenes: 256)"
    )
    detect.add_argument("--short-side", type=_count, metavar="N", help=text)
    _add_device(detect)
    detect.set_defaults(run=_command("detect"))


def _add_evaluate(commands) -> None:
    evaluate = commands.add_parser(
        "evaluate",
        help="measure a detector",
        description="Average precision after VOC and COCO, of masks and keypoints too, and seconds a picture.",
        epilog=DATA_HELP,
        formatter_class=RAW,
    )
    _add_checkpoint(evaluate)
    evaluate.add_argument("--data", metavar="DATA", help=f"{DATA} (default: what the model was trained on)")
    text = "train, val or test; of the scenes also photographs (default: %(default)s)"
    evaluate.add_argument("--split", default="test", help=text)
    evaluate.add_argument("--images", type=_count, metavar="N", help="the first N pictures only")
    evaluate.add_argument("--strict", action="store_true", help="stop if anything had to be left out or mended")
    evaluate.add_argument("--without-regression", action="store_true", help="leave the boxes as they were proposed")
    evaluate.add_argument("--save-detections", type=Path, metavar="FILE", help="keep the detections and proposals")
    _add_device(evaluate)
    evaluate.set_defaults(run=_command("evaluate"))


def _add_checkpoint(parser) -> None:
    text = (
        "a file; the name of one that ships with the project, such as rcnn_scenes; or one that torchvision trained on "
    )
    text += "COCO: torchvision:fasterrcnn_resnet50_fpn, maskrcnn_resnet50_fpn or keypointrcnn_resnet50_fpn"
    parser.add_argument("--checkpoint", required=True, metavar="FILE", help=text)


def _add_device(parser) -> None:
    parser.add_argument("--device", default="cpu", help="torch device, such as cpu or cuda (default: %(default)s)")


def _command(name: str) -> Callable[[argparse.Namespace], int]:
    """`run` of the module of that name, which is loaded when it is called."""
    return lambda args: importlib.import_module(f"rcnn_lite.cli.{name}").run(args)


def _count(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _whole(text: str) -> int:
    return 0 if text == "0" else _count(text)


def _size(text: str) -> float:
    try:
        size = float(text)
    except ValueError:
        size = 0.0
    if not 0 < size < 1e5:
        raise argparse.ArgumentTypeError(f"{text!r} is no size in pixels")
    return size
