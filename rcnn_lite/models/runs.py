"""The folder of a training run: what it holds is written down first, so that nothing else is ever mixed into it."""

import json
from dataclasses import asdict
from pathlib import Path

from rcnn_lite.cache import write_atomically
from rcnn_lite.distributed import leads


def claim(folder: Path, model, dataset, settings) -> None:
    """Write into FOLDER/stages.json what is trained there, or refuse with a ValueError if it was something else.

    `model` has `to_checkpoint`, `settings` is the dataclass of its training.
    """
    what = model.to_checkpoint()[1] | {"training": asdict(settings), "images": len(dataset)}
    what = json.loads(json.dumps(what | {"data": getattr(dataset, "fingerprint", "")}))  # tuples become lists
    file = folder / "stages.json"
    if file.is_file():
        before = json.loads(file.read_text())
        if other := sorted(key for key in what | before if what.get(key) != before.get(key)):
            raise ValueError(f"{folder} holds a run that differs in {', '.join(other)}: choose another folder")
        return
    if leads():
        write_atomically(file, lambda temporary: temporary.write_text(json.dumps(what, indent=1)))
