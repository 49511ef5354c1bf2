"""Mistakes that can be switched on: each changes a result where it is measured, and is gone afterwards."""

import importlib
import sys

import numpy as np
import pytest
import torch

from rcnn_lite import boxes, evaluation, kernels, nms
from rcnn_lite.checks.mistakes import MISTAKES, mistake, mistakes
from rcnn_lite.evaluation import coco, voc

MISTAKE_NAMES = list(mistakes())

SMALL = torch.tensor([[0.0, 0.0, 3.0, 3.0]])
APART = torch.tensor([[5.0, 5.0, 8.0, 8.0]])  # a gap of 2 each way: 4 / (9 + 9 - 4) if it counts as overlap
TWINS = torch.cat((SMALL, SMALL))


def a_package():
    """Every function that any mistake replaces, by the places that hold it."""
    return {
        (name, alias): value
        for name, module in sys.modules.items()
        if name.startswith("rcnn_lite")
        for alias, value in vars(module).items()
        if callable(value)
    }


def found(rows, scores=(0.9,)):
    count = len(rows)
    return {"boxes": rows, "labels": torch.ones(count, dtype=torch.int64), "scores": torch.tensor(scores)[:count]}


def truth(rows):
    return {"boxes": rows, "labels": torch.ones(len(rows), dtype=torch.int64)}


def probe_area():
    return boxes.box_area(SMALL).tolist()


def probe_iou():
    return boxes.box_iou(SMALL, torch.tensor([[1.0, 0.0, 4.0, 3.0]])).tolist()


def probe_iou_apart():
    return boxes.box_iou(SMALL, APART).tolist()


def probe_nms():  # IoU 1/2, with +1 widths 12/20
    rows = torch.tensor([[0.0, 0.0, 3.0, 3.0], [1.0, 0.0, 4.0, 3.0]])
    return nms.nms(rows, torch.tensor([0.9, 0.8]), 0.55).tolist()


def probe_nms_apart():
    return nms.nms(torch.cat((SMALL, APART)), torch.tensor([0.9, 0.8]), 0.25).tolist()


def probe_voc():  # a small box one pixel off: IoU 1/2, with +1 widths 12/20
    off = torch.tensor([[1.0, 0.0, 4.0, 3.0]])
    return evaluation.evaluate_voc([found(off)], [truth(SMALL)], iou_threshold=0.55)["mAP"]


def probe_coco():
    off = torch.tensor([[1.0, 0.0, 4.0, 3.0]])
    return evaluation.evaluate_coco([found(off)], [truth(SMALL)])["AP"]


def probe_voc_apart():
    return evaluation.evaluate_voc([found(APART)], [truth(SMALL)], iou_threshold=0.25)["mAP"]


def probe_decode():
    return boxes.decode_boxes(torch.zeros(1, 4), SMALL).tolist()


def probe_encode():
    return boxes.encode_boxes(torch.tensor([[0.0, 0.0, 6.0, 3.0]]), SMALL).tolist()


def probe_clip():
    return boxes.clip_boxes(torch.tensor([0.0, 0.0, 20.0, 20.0]), (10, 10)).tolist()


def probe_batched():
    return nms.batched_nms(TWINS, torch.tensor([0.9, 0.8]), torch.tensor([1, 2]), 0.5).tolist()


PROBES = [  # mistake, what is measured, right, wrong
    ("plus_one_width", probe_area, [9.0], [16.0]),
    ("plus_one_width", probe_iou, [[0.5]], [[pytest.approx(0.6)]]),
    ("plus_one_width", probe_nms, [0, 1], [0]),
    ("plus_one_width", probe_voc, 0.0, 1.0),
    ("plus_one_width", probe_coco, pytest.approx(0.1), pytest.approx(0.3)),
    ("unclamped_intersection", probe_iou_apart, [[0.0]], [[pytest.approx(4 / 14)]]),
    ("unclamped_intersection", probe_nms_apart, [0, 1], [0]),
    ("unclamped_intersection", probe_voc_apart, 0.0, 1.0),
    ("corner_for_centre", probe_decode, SMALL.tolist(), [[-1.5, -1.5, 1.5, 1.5]]),
    ("log2_for_ln", probe_encode, [[0.5, 0.0, pytest.approx(np.log(2)), 0.0]], [[0.5, 0.0, pytest.approx(1.0), 0.0]]),
    ("clip_to_last_pixel", probe_clip, [0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 9.0, 9.0]),
    ("nms_across_classes", probe_batched, [0, 1], [0]),
]


@pytest.mark.parametrize(("name", "probe", "right", "wrong"), PROBES)
def test_a_mistake_acts_and_is_gone_afterwards(name, probe, right, wrong):
    assert probe() == right
    with mistake(name):
        assert probe() == wrong
    assert probe() == right


def test_every_mistake_is_tried():
    ours = {"rcnn_lite.checks.wrong_package", "rcnn_lite.checks.wrong_boxes"}  # the others have tests of their own
    named = {m.name for m in MISTAKES.values() if {f.__module__ for f in m.replacements.values()} <= ours}
    assert {name for name, *_ in PROBES} == named


def test_every_mistake_says_what_it_is():
    assert all(sentence.endswith(".") and len(sentence) > 30 for sentence in mistakes().values())


@pytest.mark.parametrize("name", MISTAKE_NAMES)
def test_everything_is_restored_even_after_an_error(name):
    for path in MISTAKES[name].replacements:  # a module that is first imported by the mistake is not a difference
        importlib.import_module(f"rcnn_lite.{path}".rsplit(".", 1)[0])
    before = a_package()
    with pytest.raises(RuntimeError, match="on purpose"), mistake(name):
        raise RuntimeError("on purpose")
    assert a_package() == before


def test_every_module_that_imported_a_function_gets_the_wrong_one():
    right = kernels.nms_greedy
    with mistake("plus_one_width"):
        assert nms.nms_greedy is kernels.nms_greedy
        assert nms.nms_greedy is not right
        assert voc.box_overlaps is coco.box_overlaps


def test_the_checks_keep_the_right_functions():
    from rcnn_lite.checks import boxes as checks

    with mistake("plus_one_width"):
        assert checks.check_box_iou.reference is not boxes.box_iou
        assert checks.box_iou(SMALL, SMALL + 3).item() == 0


def test_the_notebook_gets_the_wrong_function(monkeypatch):
    monkeypatch.setattr(sys.modules["__main__"], "my_iou", boxes.box_iou, raising=False)
    with mistake("plus_one_width"):
        assert sys.modules["__main__"].my_iou is boxes.box_iou
        assert sys.modules["__main__"].my_iou(SMALL, SMALL + 3).item() > 0
    assert sys.modules["__main__"].my_iou(SMALL, SMALL + 3).item() == 0


def test_mistakes_can_be_nested():
    before = a_package()
    with mistake("unclamped_intersection"), mistake("plus_one_width"), mistake("nms_across_classes"):
        assert probe_area() == [16.0]
        assert probe_iou() == [[pytest.approx(0.6)]]
        assert probe_batched() == [0]
    assert a_package() == before


def test_an_unknown_mistake_is_refused():
    with pytest.raises(ValueError, match="no mistake is called 'none'; there are plus_one_width"), mistake("none"):
        pass


def test_wrong_functions_accept_nothing():
    none, no_scores = torch.zeros(0, 4), torch.zeros(0)
    for name in MISTAKE_NAMES:
        with mistake(name):
            assert boxes.box_iou(none, SMALL).shape == (0, 1)
            assert len(nms.nms(none, no_scores, 0.5)) == 0
            assert len(nms.batched_nms(none, no_scores, no_scores.long(), 0.5)) == 0
            assert boxes.clip_boxes(none, (3, 3)).shape == (0, 4)
            assert boxes.decode_boxes(boxes.encode_boxes(none, none), none).shape == (0, 4)
            assert np.isnan(evaluation.evaluate_voc([found(none)], [truth(none)])["mAP"])
