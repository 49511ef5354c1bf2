"""What benchmarks/real_masks.py measured on real photographs: enough objects, enough precision, little time."""

import json

import pytest

from rcnn_lite.paths import data_path


@pytest.fixture(scope="module")
def measured():
    return json.loads(data_path("measurements/real_masks.json").read_text())


@pytest.mark.parametrize(("name", "counts"), [("nuclei", (79, 20, 365)), ("nuts", (14, 4, 36))])
def test_all_pictures_took_part(name, counts, measured):
    row = measured[name]
    assert (row["train images"], row["held-out images"], row["held-out objects"]) == counts


@pytest.mark.parametrize("name", ["nuclei", "nuts"])
def test_masks_are_found(name, measured):
    masks = measured[name]["masks"]
    assert masks["AP50"] >= 0.6
    assert masks["AP"] <= masks["AP50"]
    assert masks["AP75"] <= masks["AP50"]


@pytest.mark.parametrize("name", ["nuclei", "nuts"])
def test_the_training_takes_less_than_a_quarter_of_an_hour_on_one_core(name, measured):
    assert 0 < measured[name]["training"]["seconds"]["processor"] < 15 * 60
