"""`Scenes` and what it is made of: outlines, cut-outs, layouts, pictures, the file they are kept in."""

import hashlib
import json
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from rcnn_lite.datasets import contact_sheet, cutouts, photographs, scenes
from rcnn_lite.datasets.composing import RULES, SIZE, Layout, annotate, blob, cover, lay_out
from rcnn_lite.datasets.cutouts import Placement, continue_colours, load_cutouts, load_rivals, make_shape
from rcnn_lite.datasets.draws import Draws
from rcnn_lite.datasets.outlines import (
    Outline,
    load_distractors,
    load_outlines,
    read_annotations,
    ring_coverage,
    shape_coverage,
)
from rcnn_lite.datasets.painting import backgrounds
from rcnn_lite.datasets.photographs import PHOTOGRAPHS, photograph_path, read_photograph
from rcnn_lite.datasets.scenes import LENGTHS, Scenes

REPOSITORY = Path(__file__).resolve().parents[2]
N = {"train": 6, "test": 4}
# What the first N scenes of seed 0 hold. Another hash means other data: raise CODE_VERSION, train and measure anew.
ANNOTATIONS = {"train": "be891693abfd60bb", "test": "3755a45e0cc234de"}
# Mean and standard deviation of the grey values of the first scenes; decoders and resamplers differ a little.
PIXELS = {
    "train": [(106.5, 49.8), (98.9, 65.3), (138.3, 92.3), (111.9, 45.2), (111.6, 60.3), (160.3, 75.1)],
    "test": [(71.9, 43.0), (51.7, 50.0), (112.2, 60.4), (155.6, 86.0)],
}


def digest(data: Scenes) -> str:
    """A hash of the whole numbers among the annotations: labels, boxes, areas, visibility of keypoints."""
    found = [
        [target["labels"].tolist(), target["boxes"].tolist(), target["area"].tolist()]
        + [target["keypoints"][:, :, 2].tolist(), target["masks"].sum(dim=(1, 2)).tolist()]
        for _, target in data
    ]
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()[:16]


def same(one: tuple, other: tuple) -> bool:
    """Are two items equal to the last bit?"""
    (image, target), (image2, target2) = one, other
    equal = [torch.equal(target[k], target2[k]) for k in target if k != "image_id"]
    return torch.equal(image, image2) and all(equal) and target["image_id"] == target2["image_id"]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> dict[str, Scenes]:
    """A few scenes of both splits, made into a cache of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RCNN_LITE_CACHE", str(tmp_path_factory.mktemp("scenes")))
        return {split: Scenes(split, n=n) for split, n in N.items()}


# ------------------------------------------------------------------ the data are what they were


@pytest.mark.parametrize("split", N)
def test_annotations_are_the_same_on_every_machine(data, split):
    assert digest(data[split]) == ANNOTATIONS[split]


@pytest.mark.parametrize("split", N)
def test_pixels_are_nearly_the_same_on_every_machine(data, split):
    found = [(255 * image.mean().item(), 255 * image.std().item()) for image, _ in data[split]]
    np.testing.assert_allclose(found, PIXELS[split], atol=2.0)


def test_another_process_makes_the_same_scenes_without_importing_the_photographs_packages(data, tmp_path):
    code = """
import sys
sys.path.insert(0, "tests/datasets")
import test_scenes
made = test_scenes.Scenes("train", n=2)
total = float(made[1][0].double().sum())
print(test_scenes.digest(made), total, "skimage" in sys.modules, "sklearn" in sys.modules)
"""
    environment = {**os.environ, "RCNN_LITE_CACHE": str(tmp_path), "PYTHONHASHSEED": "7", "PYTHONPATH": str(REPOSITORY)}
    run = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    first, second = data["train"][0], data["train"][1]
    assert run.stdout.split() == [digest([first, second]), str(float(second[0].double().sum())), "False", "False"]


def test_a_scene_does_not_depend_on_how_many_there_are(data, private_cache):
    few = Scenes("train", n=2)
    assert len(few) == 2
    assert all(same(few[i], data["train"][i]) for i in range(2))
    assert same(few[-1], data["train"][1])
    with pytest.raises(IndexError, match="scene 2 of 2"):
        few[2]


def test_seed_split_and_difficulty_change_scenes_and_fingerprint(data, private_cache):
    assert len({data["train"].fingerprint, data["test"].fingerprint}) == 2
    other, easy = Scenes("train", n=1, seed=1), Scenes("train", n=1, difficulty=0)
    assert len({other.fingerprint, easy.fingerprint, data["train"].fingerprint}) == 3
    assert not torch.equal(other[0][0], data["train"][0][0])
    assert not torch.equal(easy[0][0], data["train"][0][0])
    assert Scenes("train", n=1, seed=1).fingerprint == other.fingerprint


def test_the_fingerprint_follows_photographs_and_outlines(monkeypatch, tmp_path):
    before = Scenes("photographs").fingerprint
    other = tmp_path / "moon.png"
    other.write_bytes(photograph_path("moon.png").read_bytes() + b" ")
    with monkeypatch.context() as patch:
        patch.setattr(scenes, "photograph_path", lambda name: other if name == "moon.png" else photograph_path(name))
        scenes._sources.cache_clear()
        repainted = Scenes("photographs").fingerprint
    with monkeypatch.context() as patch:
        patch.setattr(scenes, "read_annotations", lambda: {**read_annotations(), "about": "redrawn"})
        scenes._sources.cache_clear()
        redrawn = Scenes("photographs").fingerprint
    scenes._sources.cache_clear()
    assert len({before, repainted, redrawn}) == 3
    assert Scenes("photographs").fingerprint == before


def test_workers_and_copies_see_the_same_scenes(data):
    loaded = list(DataLoader(data["test"], batch_size=None, num_workers=2))
    assert all(same(a, b) for a, b in zip(loaded, data["test"], strict=True))
    assert len(pickle.dumps(data["test"])) < 1000


# ------------------------------------------------------------------ annotations agree with one another


def test_items_have_the_promised_form(data):
    for split in N:
        for index, (image, target) in enumerate(data[split]):
            n = len(target["labels"])
            assert image.shape == (3, SIZE, SIZE)
            assert image.dtype == torch.float32
            assert 0 <= image.min() < image.max() <= 1
            assert RULES.objects[0] <= n <= RULES.objects[1]
            assert target["image_id"] == index
            assert {k: (tuple(v.shape), v.dtype) for k, v in target.items() if k != "image_id"} == {
                "boxes": ((n, 4), torch.float32),
                "labels": ((n,), torch.int64),
                "masks": ((n, SIZE, SIZE), torch.uint8),
                "area": ((n,), torch.float32),
                "iscrowd": ((n,), torch.int64),
                "keypoints": ((n, 5, 3), torch.float32),
            }
            assert target["labels"].min() >= 1
            assert target["labels"].max() < len(data[split].classes)


@pytest.mark.parametrize("split", [*N, "photographs"])
def test_boxes_and_areas_are_those_of_the_visible_masks(data, split):
    for _, target in data[split] if split in N else Scenes(split):
        assert target["masks"].sum(dim=0).max() == 1  # a pixel shows one object
        assert torch.equal(target["masks"].sum(dim=(1, 2)).float(), target["area"])
        for mask, box in zip(target["masks"], target["boxes"].int().tolist(), strict=True):
            x1, y1, x2, y2 = box
            assert mask[y1:y2, x1:x2].sum() == mask.sum()
            assert mask[y1:y2, x1].any()
            assert mask[y1:y2, x2 - 1].any()
            assert mask[y1, x1:x2].any()
            assert mask[y2 - 1, x1:x2].any()


def test_enough_of_every_object_is_to_be_seen():
    covered = 0
    for index in range(40):
        layout = lay_out("train", np.random.default_rng(index), 0.5)
        for number, layer in enumerate(layout.objects, start=1):
            pixels = (layout.owner == number).sum()
            whole = layer.shape.area * layer.placement.scale**2
            assert pixels >= max(RULES.visible * whole, RULES.area)
            covered += pixels < 0.9 * whole
            height, width = (layer.placement.scale * side for side in layer.shape.size)
            assert min(height, width) >= RULES.thinnest - 1e-9
            assert max(height, width) <= RULES.longest + 1e-9
    assert covered > 20  # objects do occlude one another


def test_difficulty_sets_the_number_of_distractors():
    counts = {d: [] for d in (0.0, 0.5, 1.0)}
    for difficulty, found in counts.items():
        for index in range(30):
            layout = lay_out("test", np.random.default_rng(index), difficulty)
            found.append(sum(not layer.is_object for layer in layout.layers))
    assert max(counts[0.0]) == 0
    assert max(counts[0.5]) == 4
    assert 5 <= max(counts[1.0]) <= 8


def test_the_cats_left_stays_left_when_it_is_mirrored():
    names = tuple(read_annotations()["keypoint_names"])
    mirror = tuple(read_annotations()["keypoint_flip"])
    classes = ("background", *read_annotations()["classes"])
    cat = load_cutouts("train")["cat"][0]
    found = {}
    for mirrored in (False, True):
        placement = Placement((128.0, 128.0), 0.4, 0.0, mirrored)
        layer = cover(cat, cat.shape, placement, True)
        owner = np.zeros((SIZE, SIZE), dtype=np.uint8)
        owner[layer.window][layer.coverage >= 0.5] = 1
        points = annotate(Layout([layer], owner), classes, names, mirror)["keypoints"][0]
        found[mirrored] = dict(zip(names, points, strict=True))
        assert all(visibility == 2 for _, _, visibility in points)
        # the animal looks at us: its left is on our right
        assert found[mirrored]["left_eye"][0] > found[mirrored]["right_eye"][0]
        assert found[mirrored]["left_ear"][0] > found[mirrored]["right_ear"][0]
    for name, (x, y, _) in found[True].items():
        x2, y2, _ = found[False][names[mirror[names.index(name)]]]
        assert (x - 128, y) == pytest.approx((128 - x2, y2), abs=0.02)
    assert [mirror[mirror[k]] for k in range(5)] == [0, 1, 2, 3, 4]


def test_covered_and_missing_keypoints_say_so():
    names, mirror = tuple(read_annotations()["keypoint_names"]), tuple(read_annotations()["keypoint_flip"])
    classes = ("background", *read_annotations()["classes"])
    cat, coin = load_cutouts("train")["cat"][0], load_cutouts("train")["coin"][0]
    behind = cover(cat, cat.shape, Placement((40.0, 128.0), 0.6, 0.0, False), True)  # its right ear is outside
    eye = behind.placement.apply(cat.shape.keypoints)[cat.keypoint_names.index("left_eye")]
    front = cover(coin, coin.shape, Placement(tuple(eye), 0.5, 0.0, False), True)
    owner = np.zeros((SIZE, SIZE), dtype=np.uint8)
    owner[behind.window][behind.coverage >= 0.5] = 1
    owner[front.window][front.coverage >= 0.5] = 2
    points = annotate(Layout([behind, front], owner), classes, names, mirror)["keypoints"]
    visibility = dict(zip(names, (p[2] for p in points[0]), strict=True))
    assert visibility == {"left_eye": 1, "right_eye": 2, "nose": 2, "left_ear": 2, "right_ear": 0}
    assert points[0][names.index("right_ear")] == [0.0, 0.0, 0]
    assert points[1] == [[0.0, 0.0, 0]] * 5


# ------------------------------------------------------------------ train, test and photographs


def test_train_and_test_share_no_background_no_coin_and_no_motorcycle():
    train, test = ({p.name for p in backgrounds(split)} for split in LENGTHS)
    assert len(train) >= 6
    assert len(test) >= 6
    assert not train & test
    train, test = ({cutout.name for cutout in load_cutouts(split)["coin"]} for split in LENGTHS)
    assert (len(train), len(test), len(train & test)) == (16, 8, 0)
    train, test = ([cutout.name for cutout in load_cutouts(split)["motorcycle"]] for split in LENGTHS)
    assert (train, test) == (["motorcycle_left"], ["motorcycle_right"])
    assert not {c.name for c in load_rivals("train")} & {c.name for c in load_rivals("test")}
    for split in LENGTHS:
        assert list(load_cutouts(split)) == sorted(read_annotations()["classes"])


def test_backgrounds_show_no_annotated_object():
    for photograph in PHOTOGRAPHS.values():
        for x1, y1, x2, y2 in photograph.regions:
            assert 0 <= x1 < x2 <= photograph.size[1]
            assert 0 <= y1 < y2 <= photograph.size[0]
            for outline in load_outlines():
                if outline.photograph == photograph.name:
                    coverage = shape_coverage(outline.parts, outline.holes, photograph.size)
                    assert coverage[y1:y2, x1:x2].sum() == 0, (outline.name, (x1, y1, x2, y2))


def test_the_photographs_are_untouched_and_annotated():
    data = Scenes("photographs")
    assert len(data) == 10
    names = list(read_annotations()["photographs"])
    for name, (image, target) in zip(names, data, strict=True):
        assert np.array_equal((image * 255).round().byte().permute(1, 2, 0).numpy(), read_photograph(name))
        assert target["masks"].shape[1:] == image.shape[1:]
    counts = {name: len(target["labels"]) for name, (_, target) in zip(names, data, strict=True)}
    assert counts["coins.png"] == 24
    assert counts["astronaut.png"] == 3
    _, target = data[names.index("chelsea.png")]
    assert target["labels"].tolist() == [data.classes.index("cat")]
    assert target["keypoints"][0, :, 2].tolist() == [2] * 5
    assert torch.equal(data[names.index("rocket.jpg")][1]["keypoints"], torch.zeros(1, 5, 3))
    helmet, person = data.classes.index("helmet"), data.classes.index("person")
    target = data[names.index("astronaut.png")][1]
    assert target["masks"][target["labels"] == helmet][0, 450, 400]  # in front of the suit
    assert target["masks"][target["labels"] == person][0, 100, 230]  # her face


def test_every_outline_lies_in_its_photograph_and_does_not_cross_itself():
    for outline in (*load_outlines(), *load_distractors()):
        height, width = PHOTOGRAPHS[outline.photograph].size
        for ring in (*outline.parts, *outline.holes, *outline.cut):
            assert len(ring) >= 4
            assert (ring >= 0).all()
            assert (ring <= (width, height)).all()
            assert not crossings(ring), (outline.name, crossings(ring))


def crossings(ring: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of edges of a ring that cross properly."""
    start, step = ring, np.roll(ring, -1, axis=0) - ring

    def side(edge: int, point: np.ndarray) -> float:
        x, y = point - start[edge]
        return step[edge, 0] * y - step[edge, 1] * x

    def straddles(edge: int, other: int) -> bool:
        return side(edge, start[other]) * side(edge, start[other] + step[other]) < 0

    pairs = ((a, b) for a in range(len(ring)) for b in range(a + 2, len(ring)))
    return [(a, b) for a, b in pairs if straddles(a, b) and straddles(b, a)]


def test_crossings_are_found():
    bow_tie = np.array([[0.0, 0.0], [2.0, 2.0], [2.0, 0.0], [0.0, 2.0]])
    assert crossings(bow_tie) == [(0, 2)]
    assert crossings(bow_tie[[0, 2, 1, 3]]) == []


# ------------------------------------------------------------------ polygons, colours, shapes


def test_coverage_of_a_polygon_against_many_points():
    rng = np.random.default_rng(0)
    t = np.sort(rng.uniform(0, 2 * np.pi, 9))
    ring = np.stack([10 + 9 * np.cos(t) * rng.uniform(0.4, 1.3, 9), 8 + 7 * np.sin(t)], axis=1)  # leaves the picture
    fine = 40
    y, x = (np.mgrid[0 : 16 * fine, 0 : 20 * fine] + 0.5) / fine
    inside = np.zeros(x.shape, dtype=bool)
    for (x1, y1), (x2, y2) in zip(ring, np.roll(ring, -1, axis=0), strict=True):  # even-odd rule, a ray to the right
        crosses = (y1 <= y) != (y2 <= y)
        inside ^= crosses & (x < x1 + (y - y1) / np.where(crosses, y2 - y1, 1) * (x2 - x1))
    expected = inside.reshape(16, fine, 20, fine).mean(axis=(1, 3))
    np.testing.assert_allclose(ring_coverage(ring, (16, 20)), expected, atol=0.13)
    assert abs(ring_coverage(ring, (16, 20)).sum() - expected.sum()) < 0.5
    np.testing.assert_allclose(ring_coverage(ring[::-1], (16, 20)), ring_coverage(ring, (16, 20)), atol=1e-12)


def test_parts_are_united_and_holes_taken_out():
    def square(low, high):
        return np.array([[low, low], [high, low], [high, high], [low, high]], dtype=float)

    coverage = shape_coverage((square(0, 4), square(2, 6)), (square(1, 2),), (7, 7))
    expected = np.zeros((7, 7))
    expected[:4, :4] = expected[2:6, 2:6] = 1
    expected[1, 1] = 0
    np.testing.assert_array_equal(coverage, expected)
    assert make_shape((square(3, 7),)).area == 16
    assert make_shape((square(3, 7),)).size == (4, 4)
    assert shape_coverage((square(10, 12),), (), (5, 5)).sum() == 0


def test_colours_outside_are_those_of_the_nearest_inside():
    colour = np.zeros((37, 53, 3))
    inside = np.zeros((37, 53), dtype=bool)
    inside[10:20, 15:30] = True
    colour[inside] = (200, 20, 20)
    colour[~inside] = (0, 0, 255)
    filled = continue_colours(colour, inside)
    np.testing.assert_allclose(filled, np.broadcast_to([200.0, 20.0, 20.0], filled.shape), atol=1e-3)


def test_a_cut_out_keeps_nothing_of_its_surroundings(monkeypatch):
    picture = np.zeros((60, 80, 3), dtype=np.uint8)
    picture[:] = (0, 0, 255)
    picture[20:40, 30:60] = (255, 0, 0)
    picture[20:30, 30:60, 1] = 255  # the upper half is yellow
    monkeypatch.setattr(cutouts, "read_photograph", lambda name: picture)
    ring = np.array([[30.0, 20.0], [60.0, 20.0], [60.0, 40.0], [30.0, 40.0]])
    cutout = cutouts.cut_out(Outline("x", "x", "x", (ring,), (), (), {}, ()))
    for scale in (1.0, 0.25):
        drawn = cutout.render(Placement((20.0, 15.0), scale, 0.0, False), (0, 0), (30, 40))
        near = drawn[15 - int(12 * scale) : 15 + int(12 * scale), 20 - int(17 * scale) : 20 + int(17 * scale)]
        assert near[..., 2].max() == 0  # no blue, also a little outside
        assert near[..., 0].min() == 255
    drawn = cutout.render(Placement((20.0, 15.0), 1.0, 0.0, False), (0, 0), (30, 40))
    assert drawn[10, 20].tolist() == [255, 255, 0]
    assert drawn[20, 20].tolist() == [255, 0, 0]
    turned = cutout.render(Placement((20.0, 15.0), 1.0, 90.0, False), (0, 0), (30, 40))
    assert turned[15, 25].tolist() == [255, 255, 0]  # clockwise: the upper half is now on the right


def test_blobs_have_an_area_and_a_size():
    for seed in range(20):
        shape = blob(Draws(np.random.default_rng(seed)))
        assert shape.area > 100
        assert 20 < min(shape.size) <= max(shape.size) < 300


# ------------------------------------------------------------------ the file


def stored(folder: Path) -> Path:
    (path,) = folder.glob("*.bin")
    return path


def test_scenes_come_from_the_file_the_second_time(private_cache, monkeypatch):
    first = Scenes("test", n=2)
    monkeypatch.setattr(scenes, "paint", None)  # whoever paints now fails
    assert same(Scenes("test", n=2)[1], first[1])
    assert same(Scenes("test", n=1)[0], first[0])  # a part of the larger file
    assert [path.name for path in private_cache.iterdir()] == ["scenes-test-seed0-difficulty0.5-2.bin"]
    assert isinstance(first._scenes.images.base, np.memmap)


@pytest.mark.parametrize("damage", ["byte", "truncated", "header", "empty", "other"])
def test_a_damaged_file_is_made_again_and_said_so(private_cache, damage):
    good = Scenes("test", n=2)[1]
    path = stored(private_cache)
    content = bytearray(path.read_bytes())
    content = {
        "byte": content[:-70000] + bytes([content[-70000] ^ 1]) + content[-69999:],
        "truncated": content[:-1],
        "header": content[:40] + bytes([content[40] ^ 1]) + content[41:],
        "empty": b"",
        "other": b"{}" * 1000,
    }[damage]
    path.write_bytes(content)
    with pytest.warns(RuntimeWarning, match="cannot be used.*made again"):
        again = Scenes("test", n=2)
    assert same(again[1], good)
    assert same(Scenes("test", n=2)[1], good)  # and now without a warning


def test_an_outdated_file_is_made_again(private_cache, monkeypatch):
    before = Scenes("test", n=1)
    inode = stored(private_cache).stat().st_mtime_ns
    monkeypatch.setattr(scenes, "CODE_VERSION", 10**6)
    after = Scenes("test", n=1)
    assert after.fingerprint != before.fingerprint
    assert stored(private_cache).stat().st_mtime_ns > inode
    assert same(before[0], after[0])  # its open map still shows the old file


def test_an_interrupted_build_leaves_nothing(private_cache, monkeypatch):
    calls = []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return np.zeros((SIZE, SIZE, 3), np.uint8)

    monkeypatch.setattr(scenes, "paint", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Scenes("train", n=3)
    assert list(private_cache.glob("*")) == []


def test_two_builders_at_once_do_not_disturb_each_other(private_cache, data):
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda _: Scenes("test", n=2), range(2)))
    assert all(same(one[1], data["test"][1]) for one in made)
    assert stored(private_cache).name.endswith("-2.bin")


def test_without_a_place_to_keep_them_scenes_stay_in_memory(private_cache, data, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(scenes, "write_store", full)
        with pytest.warns(RuntimeWarning, match="cannot be stored: .*No space left.*in memory"):
            kept = Scenes("test", n=1)
    assert same(kept[0], data["test"][0])
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("RCNN_LITE_CACHE", str(tmp_path / "file"))
    with pytest.warns(RuntimeWarning, match="cannot be stored"):
        kept = Scenes("test", n=1)
    assert same(kept[0], data["test"][0])


# ------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"split": "val"}, "split must be one of train, test, photographs; got 'val'"),
        ({"split": "train", "n": 0}, "n must lie between 1 and 400; got 0"),
        ({"split": "train", "n": 401}, "n must lie between 1 and 400; got 401"),
        ({"split": "test", "n": 101}, "n must lie between 1 and 100; got 101"),
        ({"split": "photographs", "n": 11}, "n must lie between 1 and 10; got 11"),
        ({"split": "train", "n": 2.5}, "n must be a whole number; got 2.5"),
        ({"split": "train", "seed": -1}, "seed must lie between 0"),
        ({"split": "train", "difficulty": 1.5}, "difficulty must lie between 0 and 1; got 1.5"),
        ({"split": "train", "difficulty": float("nan")}, "difficulty must lie between 0 and 1; got nan"),
    ],
)
def test_bad_arguments_are_named(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        Scenes(**arguments)


def test_a_missing_package_or_file_is_named_with_its_remedy(monkeypatch, tmp_path):
    with monkeypatch.context() as patch:
        patch.setattr(photographs.importlib.util, "find_spec", lambda name: None)
        with pytest.raises(FileNotFoundError, match="chelsea.png comes with scikit-image.*pip install.* scikit-image"):
            photograph_path("chelsea.png")
        with pytest.raises(FileNotFoundError, match="flower.jpg comes with scikit-learn.*pip install.* scikit-learn"):
            photograph_path("flower.jpg")
    with monkeypatch.context() as patch:
        patch.setitem(photographs.FOLDERS, "skimage", "elsewhere")
        with pytest.raises(FileNotFoundError, match="scikit-image is installed without.*elsewhere.chelsea.png"):
            photograph_path("chelsea.png")
    with pytest.raises(ValueError, match="no photograph is called 'dog.png'"):
        photograph_path("dog.png")


def test_a_photograph_of_another_size_is_refused(monkeypatch):
    read_photograph.cache_clear()
    monkeypatch.setattr(photographs, "read_image", lambda path: np.zeros((30, 40, 3), np.uint8))
    with pytest.raises(ValueError, match="chelsea.png has 30 x 40 pixels; the outlines were drawn on one of 300 x 451"):
        read_photograph("chelsea.png")


def test_every_photograph_has_its_source_and_licence_written_down():
    text = (REPOSITORY / "data" / "README.md").read_text(encoding="utf-8")
    assert [name for name in PHOTOGRAPHS if f"`{name}`" not in text] == []


def test_the_contact_sheet_shows_photographs_and_scenes(private_cache):
    sheet = contact_sheet.contact_sheet(scenes=2, photograph_height=60)
    assert sheet.width >= 2 * SIZE
    assert sheet.height >= 4 * SIZE
    picture = np.asarray(sheet.crop((0, sheet.height - 2 * SIZE - 20, SIZE, sheet.height)))
    assert picture.std() > 20
