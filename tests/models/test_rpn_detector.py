"""The RPN alone: it finds objects without a name for them."""

import json

import pytest
import torch
from fakes import MeanColour
from small_faster import NOTHING, SMALL
from squares import Squares

from rcnn_lite.evaluation import proposal_recall
from rcnn_lite.models.rpn_detector import RPNDetector
from rcnn_lite.nms import nms
from rcnn_lite.proposals.rpn import ProposalCounts
from rcnn_lite.training import FitSettings, Schedule, fit


def small_rpn():
    torch.manual_seed(0)
    return RPNDetector(MeanColour(), settings=SMALL, generator=torch.Generator().manual_seed(0))


def test_detections_are_proposals_after_a_stricter_suppression(generator):
    model, image = small_rpn(), Squares(1)[0][0]
    with torch.no_grad():
        for parameter in model.rpn.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    boxes, scores = model.eval().propose(image)
    (found,) = model.detect([image])
    kept = nms(boxes, scores, SMALL.heads.nms_iou)
    assert 0 < len(kept) < len(boxes) == 20
    torch.testing.assert_close(found["boxes"], boxes[kept])
    assert found["labels"].tolist() == [1] * len(kept)
    assert len(model.propose(image, ProposalCounts(100, 7))[0]) == 7
    assert set(model.watch.seconds) == {"convolutions", "proposals", "NMS"}


def test_only_the_boxes_of_the_targets_count(generator):
    image, target = Squares(1)[0]
    model, other = small_rpn(), target | {"labels": torch.tensor([2, 2])}
    ours, theirs = (model.losses([image], [t], torch.Generator().manual_seed(1)) for t in (target, other))
    torch.testing.assert_close(ours, theirs)
    assert set(ours) == {"objectness", "rpn_box_regression"}
    assert model.losses([image], [NOTHING], generator)["rpn_box_regression"].item() == 0
    with pytest.raises(ValueError, match="there are 1 images and targets for 0"):
        model.losses([image], [], generator)


def test_it_learns_where_squares_are_and_a_checkpoint_keeps_it(tmp_path):
    model, data = small_rpn(), Squares(24)
    fit(model, data, tmp_path / "state.pt", FitSettings(Schedule(300, warm_up=10), learning_rate=1e-2))
    tensors, note = model.to_checkpoint()
    again = RPNDetector.from_checkpoint(tensors, json.loads(json.dumps(note)), MeanColour())
    unseen = [Squares(10, seed=1)[i] for i in range(10)]
    targets = [target for _, target in unseen]
    found, kept = ([m.propose(image)[0] for image, _ in unseen] for m in (model, again))
    recall = proposal_recall(found, targets, (0.5,))
    assert float(recall[0]) > 0.8
    assert float(proposal_recall(kept, targets, (0.5,))[0]) > 0.8
    fresh = [small_rpn().eval().propose(image)[0] for image, _ in unseen]
    assert float(proposal_recall(fresh, targets, (0.5,))[0]) < float(recall[0])
