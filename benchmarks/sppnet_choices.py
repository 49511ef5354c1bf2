"""What SPPnet's settings were chosen by: the scales of the picture, and the layer that the SVMs see.

    python benchmarks/sppnet_choices.py --out runs/sppnet_choices

Trains on the first three hundred training scenes, measures on the last hundred; the test scenes choose nothing. Each
step leaves a file in OUT and is not repeated: an interrupted run goes on. The result is data/measurements/sppnet.json.
"""

import argparse
import datetime
import json
import shlex
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import torch
from rcnn_parts import scores, spread
from torch.utils.data import Subset

from rcnn_lite.cache import write_atomically
from rcnn_lite.checkpoints import load_records
from rcnn_lite.datasets.scenes import Scenes
from rcnn_lite.models.backbone import build_backbone
from rcnn_lite.models.feature_store import FeatureStore
from rcnn_lite.models.sppnet import SPPNet, SPPSettings
from rcnn_lite.models.sppnet_training import SPPTraining, train
from rcnn_lite.models.svm_training import fit_to_features, propose
from rcnn_lite.paths import data_path

HELD_OUT = 100  # so many training scenes choose settings
SCALES = ((384,), (512,), (576,), (256, 384, 576))  # short sides
LAYERS = ("pool5", "fc6", "fc7")


def main() -> None:
    """Both comparisons, and the file that they make."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    out = parser.parse_args().out
    data = Scenes("train")
    cut = len(data) - HELD_OUT
    fit, held = Subset(data, range(cut)), Subset(data, range(cut, len(data)))
    base = SPPNet(build_backbone(), data.classes)
    regions = propose(base, held, out / "held_regions.safetensors", SPPTraining())
    propose(base, fit, out / "regions.safetensors", SPPTraining())
    targets = [held[i][1] for i in range(len(held))]
    models = {sides: train_at(sides, out, fit, data.classes) for sides in SCALES}
    found = {sides: look(models[sides], held, regions) for sides in SCALES}
    by_layer = {layer: look(model, held, regions) for layer, model in fit_layers(models[SCALES[-1]], out).items()}
    result = {
        "command": f"python benchmarks/sppnet_choices.py {shlex.join(sys.argv[1:])}",
        "date": datetime.date.today().isoformat(),
        "data": data.fingerprint,
        "fitted": len(fit),
        "measured": len(held),
        "scales": [{"short_sides": sides} | scores(found[sides], targets) for sides in SCALES],
        "gain of the pyramid over its largest scale": spread(found[SCALES[-1]], found[SCALES[-2]], targets),
        "layers": [{"layer": layer} | scores(found, targets) for layer, found in by_layer.items()],
        "gain of fc7 over pool5": spread(by_layer["fc7"], by_layer["pool5"], targets),
    }
    text = json.dumps(result, indent=1)
    write_atomically(data_path("measurements/sppnet.json"), lambda file: file.write_text(text + "\n"))
    print(text)


def folder_of(out: Path, sides: tuple[int, ...]) -> Path:
    """Where the run at these scales is kept."""
    return out / "_".join(map(str, sides))


def train_at(sides: tuple[int, ...], out: Path, fit: Subset, classes: tuple[str, ...]) -> SPPNet:
    """An SPPnet that sees pictures at these scales, on the proposals that all of them share."""
    folder = folder_of(out, sides)
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "regions.safetensors").is_file():
        shutil.copy(out / "regions.safetensors", folder)
    model = SPPNet(build_backbone(), classes, SPPSettings(short_sides=sides))
    train(model, fit, folder)
    return model


def fit_layers(model: SPPNet, out: Path) -> dict[str, SPPNet]:
    """The same network with SVMs on each of its layers."""
    folder = folder_of(out, model.settings.short_sides)
    regions = load_records(folder / "regions.safetensors")[0]
    store, models = FeatureStore(folder / "features", regions, model.layer_sizes, len(model.classes)), {}
    for layer in LAYERS:
        models[layer] = SPPNet(build_backbone(), model.classes, replace(model.settings, layer=layer))
        models[layer].tune(model.tuned)
        fit_to_features(models[layer], store, folder / layer, SPPTraining())
    return models


def look(model: SPPNet, held: Subset, regions: list[dict]) -> list[dict[str, torch.Tensor]]:
    """What a model finds in scenes that it was not trained on."""
    return [model.detect([held[i][0]], [region["proposals"]])[0] for i, region in enumerate(regions)]


if __name__ == "__main__":
    torch.set_num_threads(2)
    main()
