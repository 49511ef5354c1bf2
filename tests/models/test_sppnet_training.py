"""SPPnet's training as stages: what the layers start from and learn, interruptions, odd data, a whole small run."""

import math
from dataclasses import replace

import pytest
import torch
from squares import CLASSES, Squares

from rcnn_lite.checkpoints import load_checkpoint, load_records, save_checkpoint
from rcnn_lite.evaluation import evaluate_voc
from rcnn_lite.heads.svm import SVMSettings
from rcnn_lite.models.backbone import build_backbone
from rcnn_lite.models.feature_store import FeatureStore
from rcnn_lite.models.finetuning import Windows
from rcnn_lite.models.sppnet import SPPNet, SPPSettings
from rcnn_lite.models.sppnet_training import LayerSettings, PyramidClassifier, SPPTraining, learn, train

TRAINING = SPPTraining(layers=LayerSettings(iterations=30), svm=SVMSettings(C=0.01, max_rounds=2))


class Stop(Exception):
    """Something that no training expects."""


def small_model(**settings):
    chosen = {"short_sides": (96,), "region_side": 40, "levels": (2, 1), "width": 16, "max_proposals": 30}
    return SPPNet(build_backbone("lite0"), CLASSES, SPPSettings(**chosen | settings))


def small_store(folder, rows, generator, size=6):
    """Two images of `rows` regions each, one object of class 1 and 2; pool5 is random but for a constant column."""
    regions = []
    for label in (1, 2):
        proposals = torch.tensor([[100.0, 100.0, 110.0, 110.0]]).repeat(rows - 1, 1)
        objects = {"objects": torch.tensor([[0.0, 0.0, 10.0, 10.0]]), "labels": torch.tensor([label])}
        regions.append({"proposals": proposals} | objects)
    store = FeatureStore(folder, regions, (size, 3, 3), 3)
    store.layers.pool5[:] = torch.randn(2 * rows, size, generator=generator).numpy() * 7 + 3
    store.layers.pool5[:, 0] = 5.0
    return store


def test_rows_of_the_store_are_those_of_the_windows(tmp_path):
    """What is drawn for a label must be that label's row: objects first, then proposals, image by image."""
    regions = [
        {"proposals": torch.rand(3, 4) + torch.tensor([9.0, 9, 12, 12]), "objects": torch.rand(2, 4), "labels": None},
        {"proposals": torch.zeros(0, 4), "objects": torch.rand(1, 4), "labels": None},
    ]
    for index, region in enumerate(regions):
        region["objects"][:, 2:] += 5
        region["labels"] = torch.arange(1, 1 + len(region["objects"])) + index
    store = FeatureStore(tmp_path, regions, (4, 1, 1), 4)
    windows = Windows(regions)
    assert torch.equal(torch.cat([store.boxes(i) for i in range(2)]), windows.boxes)
    assert store.row.tolist() == [0, 5, 6]
    store.layers.pool5[:] = windows.boxes.numpy()
    picked = torch.tensor([5, 0, 3])
    torch.testing.assert_close(store.rows(picked, "pool5"), windows.boxes[picked], atol=0.01, rtol=0)
    torch.testing.assert_close(store.image(0, "pool5"), windows.boxes[:5], atol=0.01, rtol=0)


def test_the_layers_start_standardised_and_by_the_generator_alone(tmp_path, generator):
    store = small_store(tmp_path, 2000, generator)
    one, two = (PyramidClassifier(64, store, torch.Generator().manual_seed(3)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))
    every = store.rows(torch.arange(4000), "pool5")
    seen = (every - one.layers.mean) * one.layers.gain
    torch.testing.assert_close(seen.mean(dim=0), torch.zeros(6), atol=1e-3, rtol=0)
    torch.testing.assert_close(seen.std(dim=0), torch.tensor([0.0, 1, 1, 1, 1, 1]), atol=1e-3, rtol=0)
    assert one.layers.fc7.weight.std().item() == pytest.approx(math.sqrt(2 / 64), rel=0.05)
    assert one.new_layer.weight.std().item() == pytest.approx(0.01, rel=0.2)
    logits = one(every[:5])
    expected = one.layers(every[:5])[1] @ one.new_layer.weight.T
    torch.testing.assert_close(logits, expected)


def test_learning_tells_the_classes_apart(tmp_path, generator):
    """Column 1 is large for class 1, column 2 for class 2. The first loss is that of a guess."""
    store = small_store(tmp_path / "f", 50, generator)
    store.layers.pool5[0, 1], store.layers.pool5[50, 2] = 60.0, 60.0
    settings = LayerSettings(iterations=200, positives=4, backgrounds=12, rate=1e-2)
    classifier = PyramidClassifier(8, store, generator)
    losses = [line["classification"] for line in learn(classifier, store, settings, generator, tmp_path / "s")]
    assert losses[0] == pytest.approx(math.log(3), abs=0.1)
    assert sum(losses[-10:]) / 10 < 0.1
    assert classifier(store.rows(torch.tensor([0, 50, 1]), "pool5")).argmax(dim=1).tolist() == [1, 2, 0]


def test_a_layer_that_nothing_was_learned_for_is_refused(tmp_path):
    none = replace(TRAINING, layers=LayerSettings(iterations=0))
    with pytest.raises(ValueError, match="fc7 starts from nothing: without iterations the SVMs can only see pool5"):
        train(small_model(), Squares(2), tmp_path, none)
    assert not (tmp_path / "stages.json").exists()
    model = small_model(layer="pool5")
    train(model, Squares(4), tmp_path, none)
    assert not (tmp_path / "network.safetensors").exists()
    assert model.svm_bias.isfinite().tolist() == [False, True, True]


def test_stages_are_resumed_and_give_the_same_model(tmp_path, monkeypatch):
    """Stop in the pyramids, in the middle of learning, and in the rows of fc: the last call ends as one would have."""
    dataset, whole = Squares(5), small_model()
    training = replace(TRAINING, layers=LayerSettings(iterations=120))
    rounds = train(whole, dataset, tmp_path / "whole", training)
    folder = tmp_path / "parts"

    class Breaking(Squares):
        def __getitem__(self, index):
            if index == 3 and (folder / "regions.safetensors").exists():
                raise Stop
            return super().__getitem__(index)

    with pytest.raises(Stop):
        train(small_model(), Breaking(5), folder, training)
    assert (folder / "features" / "pyramids.u8").read_bytes() == bytes([1, 1, 1, 0, 0])

    true, count = FeatureStore.rows, [0]

    def fail(self, rows, layer):
        count[0] += 1
        if count[0] == 105:  # the state was written after 100 batches
            raise Stop
        return true(self, rows, layer)

    monkeypatch.setattr(FeatureStore, "rows", fail)
    with pytest.raises(Stop):
        train(small_model(), dataset, folder, training)
    assert (folder / "network.pt").is_file()
    assert not (folder / "network.safetensors").exists()
    monkeypatch.setattr(FeatureStore, "rows", true)

    true_image = FeatureStore.image
    monkeypatch.setattr(FeatureStore, "image", lambda self, i, layer: _stop_at(3, i) or true_image(self, i, layer))
    with pytest.raises(Stop):
        train(small_model(), dataset, folder, training)
    assert (folder / "features" / "done.u8").read_bytes() == bytes([1, 1, 1, 0, 0])
    monkeypatch.setattr(FeatureStore, "image", true_image)

    resumed = small_model()
    assert train(resumed, dataset, folder, training) == rounds
    for name, value in whole.to_checkpoint()[0].items():
        assert torch.equal(value, resumed.to_checkpoint()[0][name]), name
    again = small_model()
    assert train(again, Breaking(5), folder, training) == rounds  # everything is there: no image is read
    assert torch.equal(again.svm_weight, whole.svm_weight)


def _stop_at(index, i):
    if i == index:
        raise Stop


def test_a_folder_with_another_run_is_refused(tmp_path):
    model = small_model()
    train(model, Squares(2), tmp_path, TRAINING)
    with pytest.raises(ValueError, match="holds a run that differs in data, images: choose another folder"):
        train(small_model(), Squares(3), tmp_path, TRAINING)
    with pytest.raises(ValueError, match="differs in settings"):
        train(small_model(short_sides=(96, 128)), Squares(2), tmp_path, TRAINING)
    with pytest.raises(ValueError, match="differs in training"):
        train(small_model(), Squares(2), tmp_path, replace(TRAINING, layers=LayerSettings(iterations=31)))


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


def test_a_whole_small_run_finds_the_squares_and_travels_in_a_checkpoint(tmp_path):
    """Selective search, lite0, fc layers, SVMs, ridge: 12 pictures to learn from, 5 others to be judged on."""
    model = small_model(short_sides=(96, 192), region_side=60, levels=(3, 2, 1), max_proposals=60)
    before = {name: value.clone() for name, value in model.backbone.state_dict().items()}
    train(model, Squares(12), tmp_path, replace(TRAINING, layers=LayerSettings(iterations=100)))
    images, targets = zip(*[Squares(5, seed=1)[i] for i in range(5)], strict=True)
    found = model.detect(list(images))
    assert evaluate_voc(found, list(targets))["mAP"] > 0.9
    stages = {"proposals", "convolutions", "pooling", "fc", "SVM", "NMS", "regression"}
    assert stages == set(model.watch.seconds)
    assert all(torch.equal(value, before[name]) for name, value in model.backbone.state_dict().items())

    save_checkpoint(tmp_path / "a", *model.to_checkpoint())
    again = SPPNet.from_checkpoint(*load_checkpoint(tmp_path / "a"))
    region = load_records(tmp_path / "regions.safetensors")[0][0]
    mine, loaded = (m.features(Squares(12)[0][0], region["proposals"]) for m in (model, again))
    for values, others in zip(mine, loaded, strict=True):
        torch.testing.assert_close(values, others, rtol=2e-3, atol=2e-3)
        assert 10 < values.norm(dim=1).mean() < 40  # 20 over all regions: every layer is scaled for the SVMs
    assert evaluate_voc(again.detect(list(images)), list(targets))["mAP"] > 0.9
