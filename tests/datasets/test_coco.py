"""COCODataset and COCO's masks: pycocotools pixel for pixel, real files, and small made-up ones with one mistake."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from pycocotools import mask as mask_tools
from pycocotools.coco import COCO

from rcnn_lite.datasets.coco import COCODataset
from rcnn_lite.datasets.coco_masks import decode_runs, decode_segmentation, fill_polygon, unpack_counts

SIZE = (10, 20)
GREY = 86  # the image of coco_free that is stored in grey
# pycocotools 2.0.11 answers numpy 2's copy= in the old way
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def content(**changes):
    """A file with two images (the second without objects) and two of three categories in use."""
    square = {
        "id": 1,
        "image_id": 5,
        "category_id": 7,
        "bbox": [2, 1, 4, 3],
        "segmentation": [[2, 1, 6, 1, 6, 4, 2, 4]],
    }
    crowd = {"id": 2, "image_id": 5, "category_id": 90, "bbox": [0, 0, 20, 10], "area": 12.5, "iscrowd": 1}
    crowd["segmentation"] = {"size": [10, 20], "counts": [100, 100]}
    return {
        "images": [
            {"id": 9, "file_name": "grey.png", "height": 10, "width": 20},
            {"id": 5, "file_name": "a.png", "height": 10, "width": 20},
        ],
        "categories": [{"id": 90, "name": "toothbrush"}, {"id": 7, "name": "train"}, {"id": 8, "name": "truck"}],
        "annotations": [square, crowd],
        **changes,
    }


def write(folder, data):
    Image.new("RGB", (20, 10), (255, 0, 0)).save(folder / "a.png")
    Image.new("L", (20, 10), 51).save(folder / "grey.png")
    path = folder / "instances.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return folder, path


def test_reading(tmp_path):
    dataset = COCODataset(*write(tmp_path, content()))
    assert len(dataset) == 2
    assert dataset.classes == ("background", "train", "truck", "toothbrush")
    assert dataset.category_ids == (0, 7, 8, 90)
    image, target = dataset[0]
    assert image.shape == (3, *SIZE)
    assert image.mean(dim=(1, 2)).tolist() == [1, 0, 0]
    assert target["boxes"].tolist() == [[2, 1, 6, 4], [0, 0, 20, 10]]
    assert target["labels"].tolist() == [1, 3]
    assert target["iscrowd"].tolist() == [0, 1]
    assert target["area"].tolist() == [12, 12.5]  # the first one's is its box's
    assert target["image_id"] == 5
    assert target["masks"].dtype == torch.uint8
    assert target["masks"][0].nonzero().amin(0).tolist() == [1, 2]
    assert target["masks"].sum(dim=(1, 2)).tolist() == [12, 100]
    assert target["masks"][1][:, :10].sum() == 0  # run lengths go column by column


def test_an_image_without_objects_in_grey(tmp_path):
    image, target = COCODataset(*write(tmp_path, content()))[1]
    assert image.shape == (3, *SIZE)
    torch.testing.assert_close(image, torch.full((3, *SIZE), 0.2))
    shapes = {key: tuple(target[key].shape) for key in ("boxes", "labels", "masks", "iscrowd", "area")}
    assert shapes == {"boxes": (0, 4), "labels": (0,), "masks": (0, 10, 20), "iscrowd": (0,), "area": (0,)}


def test_boxes_alone(tmp_path):
    data = content()
    for missing in (None, []):
        data["annotations"][0]["segmentation"] = missing
        with pytest.warns(UserWarning, match="annotation 1 has no segmentation, so no target has masks"):
            dataset = COCODataset(*write(tmp_path, data))
        assert not dataset.has_masks
        assert "masks" not in dataset.target(0)
    for annotation in data["annotations"]:
        del annotation["segmentation"]
    assert not COCODataset(*write(tmp_path, data)).has_masks  # a file of boxes: nothing to warn of


def test_boxes_without_area_are_left_out_and_reported(tmp_path):
    data = content()
    data["annotations"][0]["bbox"] = [2, 1, 0, 3]
    with pytest.warns(UserWarning, match=r"1 box has no area \(object left out\): annotations\[0\], .*\[2, 1, 0, 3\]"):
        dataset = COCODataset(*write(tmp_path, data))
    assert dataset.target(0)["labels"].tolist() == [3]
    assert len(dataset.problems) == 1


def test_ids_that_stand_twice(tmp_path):
    data = content()
    data["images"] += [data["images"][0], data["images"][1] | {"file_name": "grey.png"}]
    data["categories"] += [data["categories"][0]]
    with pytest.warns(UserWarning, match=r"1 picture is listed twice .*picture 9 \(grey\.png\).*; 2 pictures share"):
        dataset = COCODataset(*write(tmp_path, data))
    assert [dataset.target(i)["image_id"] for i in range(len(dataset))] == [9]  # 5 could be either picture
    assert dataset.classes == ("background", "train", "truck", "toothbrush")
    data = content()
    data["annotations"][1]["id"] = 1
    assert [f.kind for f in COCODataset(*write(tmp_path, data)).findings] == ["duplicate id"]


def changed(section, index, **changes):
    data = content()
    data[section][index] = {k: v for k, v in {**data[section][index], **changes}.items() if v is not None}
    return data


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("{", r"instances\.json cannot be read as JSON"),
        ("[]", r"instances\.json has no list 'images'"),
        ({k: v for k, v in content().items() if k != "categories"}, r"has no list 'categories'"),
        (content(annotations={}), r"has no list 'annotations'"),
        (changed("annotations", 1, bbox=None), r"annotations\[1\] has no key 'bbox'"),
        (changed("images", 1, height=None), r"images\[1\] has no key 'height'"),
        (changed("categories", 2, name=None), r"categories\[2\] has no key 'name'"),
        (changed("annotations", 0, image_id="6"), r"the image_id of annotations\[0\] must be a whole number, got '6'"),
        (changed("annotations", 0, category_id=[9]), r"the category_id of annotations\[0\] must be a whole number"),
        (changed("annotations", 0, area="12"), r"the area of annotations\[0\] must be a number, got '12'"),
        (changed("annotations", 1, iscrowd=2), r"the iscrowd of annotations\[1\] must be 0 or 1, got 2"),
        (changed("images", 1, width=0), r"the width of images\[1\] must be a number of pixels, got 0"),
        (changed("images", 1, width=10**9), r"the width of images\[1\] must be a number of pixels"),
        (changed("categories", 1, name=" "), r"the name of categories\[1\] must be a name, got ' '"),
        (changed("categories", 1, id=8), r"category 8 is called 'train' and 'truck'"),
        ("[" * 100_000, r"instances\.json cannot be read as JSON"),
        ('{"images": ' + "9" * 5000 + "}", r"instances\.json cannot be read as JSON"),
        (
            changed("annotations", 1, bbox=[1, 2, 3]),
            r"the bbox of annotations\[1\] must be four numbers, got \[1, 2, 3\]",
        ),
        (changed("annotations", 1, bbox=[1, 2, 3, "4"]), r"bbox of annotations\[1\] must be four numbers"),
        (changed("annotations", 1, bbox=[1, 2, 3, float("nan")]), r"bbox of annotations\[1\] must be four numbers"),
        (content(images=[changed("images", 0, file_name="lost.png")["images"][0]]), r"has no picture of .*lost\.png"),
    ],
)
def test_broken_files(tmp_path, data, sentence):
    with pytest.raises(ValueError, match=sentence):
        COCODataset(*write(tmp_path, data))


@pytest.mark.parametrize(
    ("segmentation", "sentence"),
    [
        ([[1, 2, 3, 4]], "annotation 1: polygon 0 must be a list of at least three x, y pairs"),
        ([[1, 2, 3, 4, 5, 6, 7]], "polygon 0"),
        ([1, 2, 3, 4, 5, 6], "polygon 0"),
        ([[2, 1, 6, 1, 6, 4], []], "polygon 1 must be a list of at least three x, y pairs"),
        ([[2, 1, 6, 1, 6, "4"]], "polygon 0 has the coordinate '4' in an image of 10 x 20 pixels"),
        ([[2, 1, 6, 1, 6, None]], "polygon 0 has the coordinate None"),
        ([[2, 1, 6, 1, 6, float("nan")]], "polygon 0 has the coordinate nan"),
        ([[2, 1, 6, 1, float("inf"), 4]], "polygon 0 has the coordinate inf"),
        ([[2, 1, 6, 1, 1e12, 4]], "polygon 0 has the coordinate 1000000000000.0 in an image of 10 x 20 pixels"),
        (
            [[10, 4, 14, 4, 14, 8, 10, 8]],
            r"the 16 pixels of its segmentation only 0 lie in its box \[2\.0, 1\.0, 6\.0, ",
        ),
        ([[5, 1, 13, 1, 13, 4, 5, 4]], r"of the 24 pixels of its segmentation only 3 lie in its box"),
        ("abc", "must be a list of polygons or a dict, got str"),
        ({"size": [10, 20], "counts": [100]}, "add up to 100, not to 10 x 20"),
        ({"size": [10, 20], "counts": [-1, 201]}, "add up to 200"),
        ({"size": [20, 10], "counts": [200]}, r"for an image of \(20, 10\) but the image is \(10, 20\)"),
        ({"size": [10], "counts": [10]}, r"for an image of \(10,\) but the image is \(10, 20\)"),
        ({"size": None, "counts": [200]}, "for an image of None but"),
        ({"size": [30, 40], "counts": [1200]}, r"for an image of \(30, 40\) but the image is \(10, 20\)"),
        ({"size": [10, 20], "counts": None}, "counts must be a list of run lengths or an ASCII string .* got None"),
        ({"size": [10, 20], "counts": "\u00e9"}, "counts must be a list of run lengths or an ASCII string"),
        ({"size": [10, 20], "counts": [100, "100"]}, "run lengths must be whole numbers, got '100'"),
        ({"size": [10, 20], "counts": [99.5, 100.5]}, r"run lengths must be whole numbers, got 99\.5"),
        ({"size": [10, 20], "counts": []}, "add up to 0, not to 10 x 20"),
        ({"counts": [200]}, "has no key 'size'"),
        ({"size": [10, 20]}, "has no key 'counts'"),
        ({"size": [10, 20], "counts": "P"}, "end in the middle of a number"),
    ],
)
def test_broken_segmentations(tmp_path, segmentation, sentence):
    dataset = COCODataset(*write(tmp_path, changed("annotations", 0, segmentation=segmentation)))
    with pytest.raises(ValueError, match=sentence):
        dataset.target(0)


@pytest.mark.parametrize(
    "segmentation",
    [
        [[3, 1, 3, 4, 3, 2]],  # a line
        [[3.1, 2.1, 3.2, 2.1, 3.2, 2.2]],  # between the pixels' centres
        [[-9, 1, -5, 1, -5, 4]],  # outside the picture
        {"size": [10, 20], "counts": [200]},
    ],
    ids=["line", "dot", "outside", "run"],
)
def test_an_object_without_pixels_is_left_out_and_reported(tmp_path, segmentation):
    dataset = COCODataset(*write(tmp_path, changed("annotations", 0, segmentation=segmentation)))
    with pytest.warns(UserWarning, match="left out annotation 1, whose segmentation holds no pixel"):
        target = dataset.target(0)
    assert target["labels"].tolist() == [3]  # the crowd alone
    assert target["boxes"].tolist() == [[0, 0, 20, 10]]
    assert target["area"].tolist() == [12.5]
    assert target["masks"].shape == (1, *SIZE)
    assert target["masks"].sum() == 100
    dataset.target(0)  # once is enough
    assert dataset.problems == ["annotation 1, whose segmentation holds no pixel"]


def test_a_crowd_may_lie_outside_its_box(tmp_path):
    data = changed("annotations", 1, bbox=[0, 0, 2, 2])
    assert COCODataset(*write(tmp_path, data)).target(0)["masks"].sum(dim=(1, 2)).tolist() == [12, 100]


def test_an_object_one_pixel_wide(tmp_path):
    pole = {"bbox": [7, 1, 1, 8], "segmentation": [[7, 1, 8, 1, 8, 9, 7, 9]]}
    target = COCODataset(*write(tmp_path, changed("annotations", 0, **pole))).target(0)
    assert target["masks"][0].nonzero().tolist() == [[y, 7] for y in range(1, 9)]
    assert target["boxes"][0].tolist() == [7, 1, 8, 9]
    theirs = mask_tools.decode(mask_tools.merge(mask_tools.frPyObjects(pole["segmentation"], *SIZE)))
    np.testing.assert_array_equal(target["masks"][0].numpy(), theirs)


@pytest.mark.parametrize(
    ("polygon", "pixels", "hole"),
    [
        ([2, 0, 18, 8, 18, 0, 2, 8], None, (1, 10)),  # a bow tie: nothing above and below the knot
        ([10, 0, 13, 9, 5, 3, 15, 3, 7, 9], None, (5, 10)),  # a star drawn in one go: the middle is gone around twice
        ([2, 1, 10, 1, 10, 9, 2, 9, 2, 1, 10, 1, 10, 9, 2, 9], 0, (5, 5)),  # a square, twice around
        ([2, 1, 10, 1, 10, 9, 2, 9, 2, 1], 64, None),  # closed once more: nothing crosses
    ],
    ids=["bow tie", "star", "twice around", "closed"],
)
def test_polygons_that_cross_themselves(polygon, pixels, hole):
    mask = decode_segmentation([polygon], SIZE)
    theirs = mask_tools.decode(mask_tools.merge(mask_tools.frPyObjects([polygon], *SIZE)))
    np.testing.assert_array_equal(mask, theirs)
    assert pixels is None or mask.sum() == pixels
    assert hole is None or mask[hole] == 0
    if pixels is None:
        assert mask.sum() > 20


def test_missing_file_and_wrong_size(tmp_path):
    with pytest.raises(ValueError, match=r"there is no annotation file .*none\.json"):
        COCODataset(tmp_path, tmp_path / "none.json")
    dataset = COCODataset(*write(tmp_path, content()))
    Image.new("RGB", (10, 20)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"a\.png has 20 x 10 pixels but .* says 10 x 20"):
        dataset[0]


def coordinate(limit):
    return st.one_of(st.integers(-3, limit + 3), st.floats(-3, limit + 3, width=32))


@given(st.lists(st.tuples(coordinate(12), coordinate(9)), min_size=3, max_size=8))
def test_polygons_equal_to_pycocotools(points):
    flat = [float(value) for point in points for value in point]
    theirs = mask_tools.decode(mask_tools.merge(mask_tools.frPyObjects([flat], 9, 12)))
    np.testing.assert_array_equal(fill_polygon(np.array(points, dtype=np.float64), (9, 12)), theirs)


@pytest.mark.parametrize(
    "points", [[(24, 2), (2, 17), (38, 23)], [(17, 8), (25, 0), (2, 30)], [(35, 38), (1, 13), (14, 30)]]
)
def test_a_polygon_is_the_same_in_either_direction(points):
    # these have an edge whose rounding differs from its two ends
    there = fill_polygon(np.array(points, dtype=np.float64), (40, 40))
    back = fill_polygon(np.array(points[::-1], dtype=np.float64), (40, 40))
    np.testing.assert_array_equal(there, back)


def test_polygons_are_united():
    polygons = [[0, 0, 4, 0, 4, 4, 0, 4], [2, 2, 8, 2, 8, 6, 2, 6]]
    mask = decode_segmentation(polygons, SIZE)
    assert mask.sum() == 16 + 24 - 4


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40), elements=st.integers(0, 1)))
def test_packed_and_plain_runs_equal_to_pycocotools(mask):
    packed = mask_tools.encode(np.asfortranarray(mask))
    np.testing.assert_array_equal(decode_runs(packed, mask.shape), mask)
    as_text = {"size": packed["size"], "counts": packed["counts"].decode()}
    np.testing.assert_array_equal(decode_runs(as_text, mask.shape), mask)
    plain = {"size": packed["size"], "counts": unpack_counts(packed["counts"])}
    assert all(isinstance(count, int) for count in plain["counts"])
    np.testing.assert_array_equal(decode_segmentation(plain, mask.shape), mask)


def test_long_runs_are_packed_in_several_characters():
    mask = np.zeros((300, 400), np.uint8)
    mask[:, 150:300] = 1
    mask[7, 350] = 1
    packed = mask_tools.encode(np.asfortranarray(mask))
    assert unpack_counts(packed["counts"]) == [45000, 45000, 15007, 1, 14992]
    np.testing.assert_array_equal(decode_runs(packed, mask.shape), mask)


@pytest.mark.parametrize(
    ("images", "annotations", "counts"),
    [
        ("coco_free/images", "coco_free/annotations/instances_coco128_free.json", (33, 81, 246)),
        ("nuts/data/images", "nuts/data/trainval.json", (18, 4, 165)),
    ],
)
def test_real_sets_equal_to_pycocotools(real_data, images, annotations, counts, capsys):
    dataset = COCODataset(real_data / images, real_data / annotations)
    reference = COCO(str(real_data / annotations))
    targets = [dataset.target(index) for index in range(len(dataset))]
    assert (len(dataset), len(dataset.classes), sum(len(t["labels"]) for t in targets)) == counts
    for target in targets:
        annotations = reference.loadAnns(reference.getAnnIds(imgIds=target["image_id"]))
        for i, annotation in enumerate(annotations):
            np.testing.assert_array_equal(target["masks"][i].numpy(), reference.annToMask(annotation))
            name = reference.loadCats(annotation["category_id"])[0]["name"]
            assert dataset.classes[target["labels"][i]] == name
            x, y, w, h = annotation["bbox"]
            assert target["boxes"][i].tolist() == pytest.approx([x, y, x + w, y + h], abs=1e-3)
            assert float(target["area"][i]) == pytest.approx(annotation["area"], rel=1e-6)
            assert int(target["iscrowd"][i]) == annotation["iscrowd"]
    capsys.readouterr()


def test_real_peculiarities(real_data):
    folder = real_data / "coco_free"
    dataset = COCODataset(folder / "images", folder / "annotations" / "instances_coco128_free.json")
    targets = [dataset.target(index) for index in range(len(dataset))]
    empty = [index for index, target in enumerate(targets) if len(target["labels"]) == 0]
    assert [targets[index]["image_id"] for index in empty] == [508]
    assert dataset[empty[0]][0].shape == (3, 480, 640)
    grey = [target["image_id"] for target in targets].index(GREY)
    with Image.open(folder / "images" / f"{GREY:012}.jpg") as picture:
        assert picture.mode == "L"
    red, green, blue = dataset[grey][0]
    assert torch.equal(red, green)
    assert torch.equal(red, blue)
    assert dataset.category_ids[-1] == 90
    assert dataset.classes[-1] == "toothbrush"
