"""Features of a set of pictures by two workers: those that one process finds, and nothing lost to a damaged picture."""

import numpy as np
import pytest
import torch
from squares import Squares

from rcnn_lite.models.feature_store import FeatureStore
from rcnn_lite.models.region_network import RegionFeatures

SIZES = (2, 3, 1)


class Colours:
    """A model that says of a region where it is and what colours its picture has."""

    device = torch.device("cpu")

    def features(self, image, boxes):
        colours = image.mean(dim=(1, 2)).expand(len(boxes), 3)
        return RegionFeatures(boxes[:, :2], colours, boxes[:, 2:3])


class Damaged(Squares):
    """The last picture's file is gone."""

    def __getitem__(self, index):
        if index == len(self) - 1:
            raise FileNotFoundError(f"no photographs/{index}.jpg")
        return super().__getitem__(index)


def of_layers(store):
    return np.concatenate(store.layers, axis=1)


def test_two_workers_fill_a_store_as_one_process_does(tmp_path):
    data = Squares(6)
    objects = [data[i][1] for i in range(6)]
    regions = [
        {"proposals": torch.rand(i, 4, generator=torch.Generator().manual_seed(i)), "objects": o["boxes"]} | o
        for i, o in enumerate(objects)
    ]
    one, two = (FeatureStore(tmp_path / name, regions, SIZES, 3) for name in ("one", "two"))
    one.fill(Colours(), data)
    expected = torch.cat([regions[2]["objects"], regions[2]["proposals"]])[:, :2].half().numpy()
    assert (one.layers.pool5[one.row[2] : one.row[3]] == expected).all()

    with pytest.raises(ValueError, match="^image 5 of the data set cannot be used: no photographs/5.jpg$"):
        two.fill(Colours(), Damaged(6), workers=2)
    finished = (tmp_path / "two" / "done.u8").read_bytes()
    assert finished[5] == 0
    for i in (i for i in range(6) if finished[i]):
        rows = slice(one.row[i], one.row[i + 1])
        assert (of_layers(two)[rows] == of_layers(one)[rows]).all()

    two.layers.fc6[: two.row[1]] = 7 if finished[0] else 0  # what is finished is not looked at again
    two.fill(Colours(), data)
    again = of_layers(two)
    assert (again[two.row[1] :] == of_layers(one)[one.row[1] :]).all()
    assert not finished[0] or (two.layers.fc6[: two.row[1]] == 7).all()
    assert (tmp_path / "two" / "done.u8").read_bytes() == bytes([1] * 6)
    assert not list(tmp_path.rglob(".*"))
