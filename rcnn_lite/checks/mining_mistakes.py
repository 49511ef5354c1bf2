"""The mistakes of notebook 06: each leaves SVMs that train without complaint, and detect worse.

Importing this module adds them to `rcnn_lite.checks.mistakes`: ``with mistake("band_is_negative"): ...`` switches one
on.
"""

from dataclasses import replace

import torch

from rcnn_lite.checks.mistakes import MISTAKES, Mistake, mistake, mistakes
from rcnn_lite.heads.svm import SVMSettings, _random_negatives, fit_svms, train_svms

__all__ = ["mistake", "mistakes"]

SETTINGS = SVMSettings()


def _silent(line: dict) -> None:
    """What `train_svms` reports to by default."""


def train_with_band(positives, stream, settings=SETTINGS, seed=0, report=_silent):
    """Whatever is not ground truth is negative, however much of an object it shows."""
    return train_svms(positives, stream, replace(settings, negative_iou=1.01), seed, report)


def train_without_mining(positives, stream, settings=SETTINGS, seed=0, report=_silent):
    """The first fit, to random negatives, is the last."""
    negatives = _random_negatives(stream, len(positives), positives[0].shape[1], settings, seed)
    return fit_svms(positives, [n.features for n in negatives], settings), []


def train_with_loose_positives(positives, stream, settings=SETTINGS, seed=0, report=_silent):
    """Proposals with an IoU of 0.5 or more are positives too, as in fine-tuning, and the rest is negative."""
    more = [[p] for p in positives]
    for features, overlaps in stream():
        for k in range(1, len(positives)):
            more[k].append(features[overlaps[:, k] >= 0.5])
    loose = [torch.cat(parts) for parts in more]
    return train_svms(loose, stream, replace(settings, negative_iou=0.5), seed, report)


def train_against_background(positives, stream, settings=SETTINGS, seed=0, report=_silent):
    """Negatives lie far from objects of *every* class, so a cat is never shown that it is no cup."""

    def background():
        for features, overlaps in stream():
            yield features, overlaps.amax(dim=1, keepdim=True).expand_as(overlaps)

    return train_svms(positives, background, settings, seed, report)


_TRAIN = "heads.svm.train_svms"
_TABLE = (
    Mistake(
        "no_mining", "The SVMs are fitted to a few random negatives, and that is all.", {_TRAIN: train_without_mining}
    ),
    Mistake(
        "band_is_negative",
        "There is no ignored band: every proposal counts as negative, even one that shows nearly the whole object.",
        {_TRAIN: train_with_band},
    ),
    Mistake(
        "loose_positives",
        "The labels are those of fine-tuning: IoU of 0.5 and more is positive, all else negative.",
        {_TRAIN: train_with_loose_positives},
    ),
    Mistake(
        "background_only",
        "Negatives are taken from the background alone: objects of other classes are nobody's negatives.",
        {_TRAIN: train_against_background},
    ),
)
MISTAKES.update({each.name: each for each in _TABLE})
