"""R-CNN, in parts and as a whole.

Each step of the pipeline by hand on a backbone of one pooling layer, training as stages, and a whole small run.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from squares import CLASSES, Squares
from torch import nn

from rcnn_lite.boxes import box_iou
from rcnn_lite.checkpoints import load_checkpoint, load_records, save_checkpoint
from rcnn_lite.evaluation import evaluate_voc
from rcnn_lite.heads.svm import SVMSettings
from rcnn_lite.models.backbone import Backbone, build_backbone
from rcnn_lite.models.feature_store import FeatureStore, class_overlaps
from rcnn_lite.models.finetuning import FinetuningSettings
from rcnn_lite.models.rcnn import RCNN, RCNNSettings
from rcnn_lite.models.rcnn_training import RCNNTraining, train
from rcnn_lite.models.stopwatch import Stopwatch


class PoolingBackbone(Backbone):
    """pool5 is the crop's mean colour in 2 x 2 cells (3 x 2 x 2 = 12 numbers), fc the mean colour (3 numbers)."""

    def __init__(self):
        classifier = nn.Linear(3, 10)
        nn.init.eye_(classifier.weight), nn.init.zeros_(classifier.bias)
        embedding = [nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())]
        super().__init__([nn.AdaptiveAvgPool2d(2)], (8,), (3,), embedding, classifier, mean=(0.0,) * 3, std=(1.0,) * 3)


def small_model(**settings):
    return RCNN(PoolingBackbone(), CLASSES, RCNNSettings(size=16, context=2, min_size=2, **settings))


def test_features_of_a_crop_by_hand():
    """A box, left half red and right half blue, no context: the cells' colours at scales 2 (pool5) and 3 (fc)."""
    model = small_model()
    image = torch.zeros(3, 20, 30)
    image[0, 4:12, 6:14], image[2, 4:12, 14:22] = 1.0, 1.0
    model.settings = RCNNSettings(size=16, context=0)
    model.scales.copy_(torch.tensor([2.0, 3.0, 1.0]))
    features = model.features(image, torch.tensor([[6.0, 4.0, 22.0, 12.0]]))
    assert features.pool5.shape == (1, 12)
    assert features.pool5.reshape(3, 2, 2)[0].tolist() == pytest.approx(np.array([[2.0, 0.0]] * 2), abs=0.15)
    torch.testing.assert_close(features.fc6, torch.tensor([[1.5, 0.0, 1.5]]), atol=0.1, rtol=0)


def test_features_do_not_depend_on_the_batch(generator):
    image, boxes = torch.rand(3, 40, 40, generator=generator), torch.rand(11, 4, generator=generator) * 20
    boxes[:, 2:] += boxes[:, :2] + 3
    one, many = (small_model(batch=b).features(image, boxes) for b in (1, 64))
    torch.testing.assert_close(one.pool5, many.pool5)
    torch.testing.assert_close(one.fc6, many.fc6)


def test_what_lies_outside_the_image_is_the_networks_mean():
    model = small_model()
    model.backbone.mean.fill_(0.5)
    features = model.features(torch.full((3, 8, 8), 0.9), torch.tensor([[0.0, 0.0, 8.0, 8.0]]))
    expected = 0.4 * 12**2 / 16**2  # 12 x 12 of the 16 x 16 pixels show the image, 0.9 - 0.5; the rest is 0
    torch.testing.assert_close(features.fc6, torch.full((1, 3), expected))


def red_detector(**settings):
    """fc = mean colour: class 1 fires where red is strong, class 2 where blue is;

    class 1's boxes move right by half a width.
    """
    model = small_model(**settings)
    model.svm_weight.copy_(torch.tensor([[0.0, 0, 0], [4, -4, -4], [-4, -4, 4]]))
    model.svm_bias.copy_(torch.tensor([-float("inf"), -1.0, -1.0]))
    model.ridge_bias[1] = torch.tensor([0.5, 0.0, 0.0, 0.0])
    return model


def test_detect_scores_suppresses_and_regresses_by_hand():
    image = torch.zeros(3, 40, 60)
    image[0, 10:20, 10:20] = 1.0
    image[2, 10:20, 40:50] = 0.9
    proposals = torch.tensor(
        [
            [10.0, 10, 20, 20],  # red, exactly
            [10.0, 10, 20, 23],  # red, suppressed by the first
            [40.0, 10, 50, 20],  # blue
            [25.0, 25, 37, 37],  # nothing: score -1 is not above the threshold
        ]
    )
    model = red_detector()
    (found,) = model.detect([image], [proposals])
    assert found["labels"].tolist() == [1, 2]
    red = float(model.features(image, proposals[:1]).fc6[0, 0])
    assert found["scores"].tolist() == pytest.approx([4 * red - 1, 4 * 0.9 * red - 1], abs=1e-5)
    assert found["boxes"].tolist() == [[15.0, 10.0, 25.0, 20.0], [40.0, 10.0, 50.0, 20.0]]
    (plain,) = red_detector(regress=False).detect([image], [proposals])
    assert plain["boxes"].tolist() == proposals[[0, 2]].tolist()
    assert red_detector(nms_first=True).detect([image], [proposals])[0]["boxes"].tolist() == found["boxes"].tolist()
    assert len(red_detector(max_detections=1).detect([image], [proposals])[0]["boxes"]) == 1


def test_suppression_judges_the_regressed_boxes_or_the_proposed_ones():
    """Two red proposals overlap by 1/3, above the threshold; once regressed they are narrow and do not."""
    image = torch.zeros(3, 20, 60)
    image[0] = 1.0
    proposals = [torch.tensor([[4.0, 4, 16, 16], [10.0, 4, 22, 16]])]  # IoU 6 / 18 = 1/3, above 0.3
    last, first = red_detector(), red_detector(nms_first=True)
    for model in (last, first):
        model.ridge_bias[1] = torch.tensor([0.5, 0.0, -1.0, 0.0])  # half a width to the right, and much narrower
    assert len(first.detect([image], proposals)[0]["boxes"]) == 1
    assert len(last.detect([image], proposals)[0]["boxes"]) == 2  # narrow boxes six pixels apart


def test_regressed_boxes_stay_in_the_picture():
    image = torch.zeros(3, 20, 20)
    image[0] = 1.0
    (found,) = red_detector().detect([image], [torch.tensor([[4.0, 2.0, 20.0, 20.0]])])
    assert found["boxes"].tolist() == [[12.0, 2.0, 20.0, 20.0]]


def test_proposals_are_clipped_sifted_and_limited():
    model = small_model(max_proposals=2)
    boxes = torch.tensor([[-5.0, 0, 1, 9], [5, 5, 99, 30], [5, 5, 50, 18], [3, 3, 9, 9], [9, 9, 15, 15]])
    # The first is 1 pixel wide inside; the third overlaps the second, both clipped, by 13 / 15 > 0.8.
    assert model.usable(boxes, (20, 40)).tolist() == [[5, 5, 40, 20], [3, 3, 9, 9]]
    assert len(small_model(proposal_iou=1.0).usable(boxes, (20, 40))) == 4


def test_no_images_no_proposals_and_an_untrained_model():
    model, image = small_model(), torch.rand(3, 16, 16)
    assert model.detect([]) == []
    for proposals in (torch.zeros(0, 4), torch.tensor([[1.0, 1, 9, 9]])):
        (found,) = model.detect([image], [proposals])
        assert found["boxes"].shape == (0, 4)
        assert found["labels"].dtype == torch.int64
        assert found["scores"].shape == (0,)
    with pytest.raises(ValueError, match="there are 1 images and proposals for 0"):
        model.detect([image], [])


def test_extreme_pictures_with_the_real_network():
    """1 x 1 pixel, one colour, and 5,000 x 4 pixels: no proposals, or some, but no error."""
    model = RCNN(build_backbone(pretrained=False), CLASSES, RCNNSettings(size=32, context=2))
    model.svm_bias[1] = 1.0
    for size in ((1, 1), (40, 40), (4, 5000)):
        (found,) = model.detect([torch.full((3, *size), 0.5)])
        assert found["boxes"].shape == (len(found["scores"]), 4)
        assert found["boxes"].shape[0] == (1 if size == (40, 40) else 0)  # the whole picture, if it is large enough


def test_a_picture_of_25_million_pixels():
    """Its proposals are searched in a smaller copy and given in its own pixels; regions are cut out of the original."""
    image = torch.full((3, 5000, 5000), 0.5)
    image[0, 1000:3000, 2000:4500] = 1.0
    model = small_model(max_proposals=20)
    boxes = model.usable(model.propose(image), (5000, 5000))
    square = torch.tensor([[2000.0, 1000.0, 4500.0, 3000.0]])
    assert box_iou(boxes, square).max() > 0.9
    features = model.features(image, square)
    torch.testing.assert_close(features.fc6[0, 0] > features.fc6[0, 1], torch.tensor(True))


@pytest.mark.parametrize("channels", [1, 4])
def test_pictures_that_are_not_rgb_are_refused(channels):
    image = torch.rand(channels, 20, 20)
    with pytest.raises(ValueError, match="3"):
        small_model().detect([image])
    with pytest.raises(ValueError, match=r"image must be a float tensor \(3, H, W\)"):
        small_model().detect([image], [torch.tensor([[1.0, 1.0, 9.0, 9.0]])])


def test_proposals_outside_the_picture_are_left_out():
    (found,) = red_detector().detect([torch.ones(3, 20, 20)], [torch.tensor([[30.0, 30, 40, 40], [-9.0, -9, -1, -1]])])
    assert found["boxes"].shape == (0, 4)


@pytest.mark.parametrize("layer", ["pool5", "fc6", "fc7"])
def test_the_svms_see_the_layer_that_was_chosen(layer):
    model = small_model(layer=layer)
    image, boxes = torch.rand(3, 20, 20), torch.tensor([[2.0, 2.0, 12.0, 12.0]])
    features = model.features(image, boxes)
    model.svm_weight[1, 2], model.svm_bias[1] = 1.0, 0.25
    assert model.score(features)[0, 1] == pytest.approx(float(getattr(features, layer)[0, 2]) + 0.25)
    with pytest.raises(ValueError, match="unknown layer 'fc8': choose one of pool5, fc6, fc7"):
        small_model(layer="fc8")


def test_a_checkpoint_makes_the_same_model(tmp_path):
    model = red_detector()
    image, _ = Squares(1)[0]
    save_checkpoint(tmp_path / "a", *model.to_checkpoint())
    tensors, description = load_checkpoint(tmp_path / "a")
    again = RCNN.from_checkpoint(tensors, description, PoolingBackbone())
    assert again.settings == model.settings
    assert again.classes == CLASSES
    proposals = [torch.tensor([[2.0, 2, 30, 40], [33.0, 2, 60, 40]])]
    for key, value in model.detect([image], proposals)[0].items():
        torch.testing.assert_close(value, again.detect([image], proposals)[0][key])
    del tensors["svm_bias"]
    with pytest.raises(ValueError, match="do not fit its description of an R-CNN"):
        RCNN.from_checkpoint(tensors, description, PoolingBackbone())


def test_overlaps_with_each_class():
    region = {
        "proposals": torch.tensor([[0.0, 0, 10, 10], [20, 0, 30, 10]]),
        "objects": torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 5], [20, 0, 30, 20]]),
        "labels": torch.tensor([1, 1, 2]),
    }
    assert class_overlaps(region, 4).tolist() == [[0, 1, 0, 0], [0, 0, 0.5, 0]]
    empty = {"proposals": torch.zeros(2, 4), "objects": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
    assert class_overlaps(empty, 3).tolist() == [[0.0] * 3] * 2


TRAINING = RCNNTraining(finetuning=FinetuningSettings(iterations=0), svm=SVMSettings(C=0.01, max_rounds=2))


def test_fine_tuning_changes_the_network_and_travels_in_the_checkpoint(tmp_path):
    """The tuned network, packed as a difference, comes back from a checkpoint; its features are not ImageNet's."""
    settings = replace(TRAINING, finetuning=FinetuningSettings(iterations=3, positives=4, backgrounds=4))
    model = RCNN(build_backbone("lite0"), CLASSES, RCNNSettings(size=32, context=2, max_proposals=20))
    plain = RCNN(build_backbone("lite0"), CLASSES, model.settings)
    train(model, Squares(3), tmp_path / "run", settings)
    save_checkpoint(tmp_path / "a", *model.to_checkpoint())
    again = RCNN.from_checkpoint(*load_checkpoint(tmp_path / "a"))
    image, boxes = Squares(1)[0][0], torch.tensor([[2.0, 2.0, 30.0, 40.0]])
    tuned = model.features(image, boxes)
    for mine, loaded in zip(tuned, again.features(image, boxes), strict=True):
        torch.testing.assert_close(mine, loaded, rtol=2e-3, atol=2e-3)
    plain.scales.copy_(model.scales)
    assert (tuned.fc6 - plain.features(image, boxes).fc6).abs().max() > 0.01
    resumed = RCNN(build_backbone("lite0"), CLASSES, model.settings)
    train(resumed, Squares(3), tmp_path / "run", settings)  # nothing is done again
    assert all(torch.equal(a, b) for a, b in zip(tuned, resumed.features(image, boxes), strict=True))


def test_stages_are_resumed_and_give_the_same_model(tmp_path):
    """Stop in the middle of the features, and again before the SVMs: the third call ends where one call would have."""
    dataset, whole, resumed = Squares(5), small_model(), small_model()
    train(whole, dataset, tmp_path / "whole", TRAINING)

    class Stop(Exception):
        pass

    class Breaking(Squares):
        def __getitem__(self, index):
            if index == 3 and (tmp_path / "parts" / "regions.safetensors").exists():
                raise Stop
            return super().__getitem__(index)

    breaking, regions = Breaking(5), tmp_path / "parts" / "regions.safetensors"
    with pytest.raises(Stop):
        train(resumed, breaking, tmp_path / "parts", TRAINING)
    assert regions.exists()
    store = FeatureStore(tmp_path / "parts" / "features", load_records(regions)[0], resumed.layer_sizes, len(CLASSES))
    with pytest.raises(Stop):
        store.fill(resumed, breaking)
    assert (tmp_path / "parts" / "features" / "done.u8").read_bytes() == bytes([1, 1, 1, 0, 0])
    rounds = train(resumed, dataset, tmp_path / "parts", TRAINING)
    assert rounds
    for name, value in whole.to_checkpoint()[0].items():
        assert torch.equal(value, resumed.to_checkpoint()[0][name]), name
    again = small_model()
    assert train(again, Breaking(5), tmp_path / "parts", TRAINING) == rounds  # everything is there: no image is read
    assert torch.equal(again.svm_weight, whole.svm_weight)


def test_a_folder_with_another_run_is_refused(tmp_path):
    train(small_model(), Squares(2), tmp_path, TRAINING)
    with pytest.raises(ValueError, match="holds a run that differs in data, images: choose another folder"):
        train(small_model(), Squares(3), tmp_path, TRAINING)
    with pytest.raises(ValueError, match="differs in training"):
        train(small_model(), Squares(2), tmp_path, replace(TRAINING, seed=1))
    with pytest.raises(ValueError, match="differs in settings"):
        train(small_model(max_proposals=7), Squares(2), tmp_path, TRAINING)


def test_pictures_without_objects_and_crowds(tmp_path):
    """Class 2 is only ever a crowd, and one picture has no object at all: class 2 cannot be learned and never fires."""

    class Odd(Squares):
        def __getitem__(self, index):
            image, target = super().__getitem__(index)
            target["iscrowd"] = torch.tensor([0, 1])
            if index == 0:
                target = {key: value[:0] for key, value in target.items()}
            return image, target

    model = small_model()
    train(model, Odd(3), tmp_path, TRAINING)
    assert model.svm_bias.isneginf().tolist() == [True, False, True]
    assert 2 not in torch.cat([d["labels"] for d in model.detect([Odd(3)[1][0]])])


def test_a_whole_small_run_finds_the_squares(tmp_path):
    """Selective search, lite0, SVMs, ridge: 10 pictures to learn from, 5 others to be judged on."""
    model = RCNN(build_backbone("lite0"), CLASSES, RCNNSettings(size=48, context=4, max_proposals=60))
    train(model, Squares(10), tmp_path, TRAINING)
    images, targets = zip(*[Squares(5, seed=1)[i] for i in range(5)], strict=True)
    result = evaluate_voc(model.detect(list(images)), list(targets))
    assert result["mAP"] > 0.9
    assert {"proposals", "warp", "CNN", "SVM", "NMS", "regression"} == set(model.watch.seconds)


def test_stopwatch_adds_up_and_counts_failures():
    watch = Stopwatch()
    for _ in range(2):
        with watch("a"):
            sum(range(10_000))
    with pytest.raises(KeyError), watch("b"):
        raise KeyError
    assert set(watch.seconds) == {"a", "b"}
    assert watch.seconds["a"] > 0
