"""The report of a model on a data set: metrics, records, and seconds of each stage, from a model with known answers."""

from collections import defaultdict
from types import SimpleNamespace

import pytest
import torch

from rcnn_lite.evaluation.scorecard import describe, measure


class TwoPictures:
    """One object of class 1 in each picture; picture 1 is twice as large."""

    classes = ("background", "cat")

    def __len__(self):
        return 2

    def __getitem__(self, index):
        box = torch.tensor([[0.0, 0.0, 40.0, 40.0]]) * (index + 1)
        return torch.full((3, 100, 100), float(index)), {"boxes": box, "labels": torch.tensor([1])}


class HalfRight:
    """Finds the object of picture 0 and, with a higher score, something else in picture 1."""

    classes, needs_proposals = ("background", "cat"), True

    def __init__(self):
        self.watch = SimpleNamespace(seconds=defaultdict(float, {"left over": 5.0}))

    def propose(self, image):
        return torch.tensor([[0.0, 0.0, 40.0, 40.0], [1.0, 2.0, 3.0, 255.0]])

    def usable(self, proposals, image_size):
        assert tuple(image_size) == (100, 100)
        return proposals[:1]

    def detect(self, images, proposals):
        assert len(proposals[0]) == 2
        self.watch.seconds["CNN"] += 3.0
        score = float(images[0].mean()) + 0.5
        return [{"boxes": proposals[0][:1], "labels": torch.tensor([1]), "scores": torch.tensor([score])}]


def test_report_of_a_known_model():
    """Best score first: wrong, right. Precision 1/2 up to recall 1/2: area 1/4, six of eleven points at 1/2."""
    metrics, records = measure(HalfRight(), TwoPictures())
    assert metrics["images"] == 2
    assert metrics["mAP"] == 0.25
    assert metrics["mAP_07"] == pytest.approx(6 / 11 / 2, abs=1e-4)
    assert metrics["AP"] == {"cat": 0.25}
    assert metrics["COCO"]["AP50"] == pytest.approx(51 / 101 / 2, abs=1e-4)
    assert metrics["seconds"] == {"CNN": 3.0}  # 6 seconds, 2 pictures; what was on the watch before is gone
    assert [r["boxes"].tolist() for r in records] == [[[0.0, 0.0, 40.0, 40.0]]] * 2
    assert records[0]["proposals"].dtype == torch.float16
    assert records[0]["proposals"].tolist() == [[0.0, 0.0, 40.0, 40.0]]
    assert measure(HalfRight(), TwoPictures(), keep=0)[1][0]["scores"].shape == (0,)


def test_a_model_without_proposals_has_none_in_its_records():
    class Looks:
        classes = ("background", "cat")
        watch = SimpleNamespace(seconds=defaultdict(float))

        def detect(self, images):
            return HalfRight.detect(
                SimpleNamespace(watch=self.watch), images, [torch.tensor([[0.0, 0.0, 40.0, 40.0]] * 2)]
            )

    metrics, records = measure(Looks(), TwoPictures())
    assert metrics["mAP"] == 0.25
    assert [set(record) for record in records] == [{"boxes", "labels", "scores"}] * 2


def test_a_model_of_one_class_object_is_measured_on_objects_of_any_class():
    class Finds:
        classes = ("background", "object")
        watch = SimpleNamespace(seconds=defaultdict(float))

        def detect(self, images):
            return [HalfRight().detect(images, [torch.tensor([[0.0, 0.0, 40.0, 40.0]] * 2)])[0]]

    class Dogs(TwoPictures):
        classes = ("background", "cat", "dog")

        def __getitem__(self, index):
            image, target = super().__getitem__(index)
            return image, target | {"labels": torch.tensor([2])}

    metrics, _ = measure(Finds(), Dogs())
    assert metrics["AP"] == {"object": 0.25}


def test_a_model_of_some_classes_is_measured_on_these():
    """Where the second picture's object is a dog, the model of cats is asked about the first alone, and right."""

    class AlsoDogs(TwoPictures):
        classes = ("background", "dog", "cat")

        def __getitem__(self, index):
            image, target = super().__getitem__(index)
            return image, target | {"labels": torch.tensor([2 - index])}

    metrics, _ = measure(HalfRight(), AlsoDogs())
    assert (metrics["images"], metrics["AP"]) == (1, {"cat": 1.0})

    class OnlyDogs(AlsoDogs):
        def __getitem__(self, index):
            return super().__getitem__(1)

    with pytest.raises(ValueError, match="no picture has an object of the classes cat"):
        measure(HalfRight(), OnlyDogs())


def test_a_class_without_objects_has_no_number():
    class Wider(TwoPictures):
        classes = ("background", "cat", "dog")

        def __getitem__(self, index):
            image, target = super().__getitem__(index)
            return image, {key: value[:0] for key, value in target.items()}

    class AsWide(HalfRight):
        classes = Wider.classes

    metrics, _ = measure(AsWide(), Wider())
    assert metrics["mAP"] is None
    assert metrics["COCO"]["APs"] == -1  # as pycocotools says it
    assert "mAP - (VOC 2010)" in describe(metrics)


def test_the_text_holds_the_numbers():
    text = describe(measure(HalfRight(), TwoPictures())[0])
    for part in ("2 images", "mAP 0.250 (VOC 2010), 0.273 (VOC 2007", "AP50 0.25", "cat 0.25", "3.00 = 3.000 CNN"):
        assert part in text


class WithMasks(TwoPictures):
    def __getitem__(self, index):
        image, target = super().__getitem__(index)
        side = 40 * (index + 1)
        mask, points = torch.zeros(1, 100, 100, dtype=torch.uint8), torch.tensor([[[side / 2, side / 2, 2.0]]])
        mask[:, :side, :side] = 1
        return image, target | {"masks": mask, "keypoints": points}


class MasksAndPoints:
    """All boxes right; masks too, at 0.6 where they are and 0.4 elsewhere; of picture 1 half a mask. Points far off."""

    classes = ("background", "cat")

    def __init__(self):
        self.watch = SimpleNamespace(seconds=defaultdict(float))

    def detect(self, images):
        index = int(images[0].mean())
        side = 40 * (index + 1)
        masks = torch.full((1, 1, 100, 100), 0.4)
        masks[..., : side // (index + 1), :side] = 0.6
        found = {"boxes": torch.tensor([[0.0, 0.0, side, side]]), "labels": torch.tensor([1])}
        return [found | {"scores": torch.tensor([0.9]), "masks": masks, "keypoints": torch.full((1, 1, 3), 99.0)}]


def test_masks_and_keypoints_are_measured_where_there_are_some():
    """The half mask has an IoU of 1/2: right at the first of COCO's ten thresholds only."""
    metrics, records = measure(MasksAndPoints(), WithMasks())
    assert metrics["COCO"]["AP"] == 1
    assert metrics["masks"]["AP50"] == 1
    assert metrics["masks"]["AP75"] == pytest.approx(51 / 101, abs=1e-4)
    assert metrics["keypoints"]["AP50"] == 0
    assert set(records[0]) == {"boxes", "labels", "scores", "keypoints"}
    lines = describe(metrics).split("\n")
    assert lines[-3:-1] == [
        f"COCO AP {metrics['masks']['AP']:.3f}, AP50 1.000, AP75 0.505 of masks",
        "COCO AP 0.000, AP50 0.000, AP75 0.000 of keypoints",
    ]
    assert "masks" not in measure(HalfRight(), TwoPictures())[0]
