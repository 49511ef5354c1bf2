"""The folder of a run: what was ordered, what happened when, curves, the best model so far.

    RUN/config.json         the options that the run was begun with, and what was chosen for its pictures
    RUN/log.txt             a line for everything that happened, with the time
    RUN/history.json        losses of each batch; AP50 on held-out pictures after some of them
    RUN/curves.png          the same, drawn
    RUN/best.safetensors    the model at its best AP50 on held-out pictures

What a training keeps to go on from is its own affair (see `models.runs`).
"""

import datetime
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rcnn_lite import __version__
from rcnn_lite.cache import write_atomically
from rcnn_lite.checkpoints import save_checkpoint
from rcnn_lite.distributed import leads
from rcnn_lite.evaluation.scorecard import measure
from rcnn_lite.plotting import save_curves

DEFAULTS = {"model": None, "data": "scenes", "seed": 0, "data_seed": 0, "backbone": "lite0"}
OTHERS = (
    "size",
    "proposals",
    "finetune",
    "batch",
    "layer",
    "short_side",
    "anchors",
    "images",
    "held_out",
)  # default: None
MOMENTS = 6  # in the course of a training at which it is measured


def settle(folder: Path, given: dict, resume: bool = False) -> dict:
    """The options of the run in a folder, by name. What was not `given` is None there.

    A new run's are those given, and defaults. One that was begun has its own, in config.json: `resume` takes these for
    what was not given. ValueError where the two differ, and where there is nothing to resume.
    """
    file = folder / "config.json"
    given = {name: value for name, value in given.items() if value is not None}
    before = json.loads(file.read_text(encoding="utf-8"))["options"] if file.is_file() else None
    if resume and before is None:
        raise ValueError(f"{folder} holds no run to resume (there is no config.json): give --model to begin one")
    if not resume:
        given = DEFAULTS | dict.fromkeys(OTHERS) | given
    if given.get("model", resume) is None:
        raise ValueError("give --model, or --resume to go on with a run")
    if before is None:
        return given
    if other := [name for name, value in given.items() if before.get(name) != value]:
        names = ", ".join(f"{name.replace('_', '-')} ({before.get(name)}, not {given[name]})" for name in other)
        raise ValueError(
            f"{folder} holds a run that differs in {names}: choose another folder, or go on with it as it was begun by "
            f"--resume"
        )
    return before


@contextmanager
def begun(folder: Path, options: dict, chosen: str, command: str) -> Iterator[None]:
    """Train in this block. config.json is written before, if it is not there: the options, what was chosen for the
    pictures in words, the command, when.

    An order that the model refuses with a ValueError was never begun: its config.json is removed again.
    """
    file = folder / "config.json"
    new = leads() and not file.is_file()
    if new:
        began = datetime.datetime.now().isoformat(timespec="seconds")
        config = {"options": options, "chosen": chosen, "command": command, "begun": began, "version": __version__}
        text = json.dumps(config, indent=1, ensure_ascii=False) + "\n"
        write_atomically(file, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    try:
        yield
    except ValueError:
        if new:
            file.unlink(missing_ok=True)
        raise


def log(folder: Path, text: str) -> None:
    """Add lines to log.txt, each with the time."""
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.datetime.now().isoformat(sep=" ", timespec="seconds")
    with (folder / "log.txt").open("a", encoding="utf-8") as file:
        file.writelines(f"{now}  {line}\n" for line in text.splitlines())


class Progress:
    """Called after each batch (see `models.orders.Order`): at a few moments it measures, draws, and keeps the best.

    `held_out` is a data set or None; `note` is what a checkpoint's header says besides the model's own description.
    Without held-out pictures the model is not looked at, and may be None.
    """

    def __init__(self, folder: Path, held_out, note: dict):
        self.folder, self.held_out, self.note = folder, held_out, note
        self.file = folder / "history.json"
        kept = json.loads(self.file.read_text()) if self.file.is_file() else {}
        self.measured = {int(batch): score for batch, score in kept.get("AP50", {}).items()}

    @property
    def best(self) -> Path | None:
        """The best model's checkpoint, if any was measured."""
        return self.folder / "best.safetensors" if self.measured and self.held_out else None

    @property
    def chosen(self) -> dict:
        """What the best model's header says of how it was chosen: pictures, batches until then, AP50."""
        if self.best is None:
            return {}
        batches = max(self.measured, key=lambda batch: (self.measured[batch], batch))
        return {"held_out": {"images": len(self.held_out), "batches": batches, "AP50": self.measured[batches]}}

    def __call__(self, model, history: list[dict[str, float]], batches: int) -> None:
        done = len(history)
        ends = [round(batches * moment / MOMENTS) for moment in range(MOMENTS + 1)]
        if done not in ends[1:]:
            return
        recent = history[ends[ends.index(done) - 1] : done]
        means = {name: sum(losses[name] for losses in recent) / len(recent) for name in history[-1]}
        words = ", ".join(f"{name.replace('_', ' ')} {mean:.3f}" for name, mean in means.items())
        log(self.folder, f"{done} of {batches} batches: {words}")
        if self.held_out:
            self.measure(model, done)
        self.write(history)

    def measure(self, model, done: int) -> None:
        """AP50 on the held-out pictures; the model is saved where it is the best so far."""
        learning = model.training
        metrics, _ = measure(model.eval(), self.held_out)
        model.train(learning)
        score = metrics["COCO"]["AP50"] or 0.0
        best = score >= max((s for batch, s in self.measured.items() if batch != done), default=0.0)
        self.measured[done] = score
        log(self.folder, f"AP50 {score:.3f} on {len(self.held_out)} held-out pictures" + ", the best so far" * best)
        if best:
            tensors, description = model.to_checkpoint()
            save_checkpoint(self.folder / "best.safetensors", tensors, description | self.note | self.chosen)

    def write(self, history: list[dict[str, float]]) -> None:
        """history.json and curves.png."""
        rounded = {name: [round(losses[name], 4) for losses in history] for name in history[0]}
        text = json.dumps({"losses": rounded, "AP50": self.measured})
        write_atomically(self.file, lambda temporary: temporary.write_text(text))
        write_atomically(self.folder / "curves.png", lambda file: save_curves(file, history, self.measured))
