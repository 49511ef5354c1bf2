"""NucleiDataset: the real folder against PIL and numpy, and small made-up ones with one mistake each."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rcnn_lite.datasets.nuclei import NucleiDataset
from rcnn_lite.datasets.parts import hold_out

SIZE = (10, 20)


def nucleus(*corners):
    """A mask file's pixels: 255 in the box x1 y1 x2 y2."""
    x1, y1, x2, y2 = corners
    mask = np.zeros(SIZE, np.uint8)
    mask[y1:y2, x1:x2] = 255
    return mask


def write(root, name, *masks, picture=(200, 100, 50, 255)):
    for part in ("images", "masks"):
        (root / name / part).mkdir(parents=True, exist_ok=True)
    if picture:
        Image.new("RGBA", SIZE[::-1], picture).save(root / name / "images" / f"{name}.png")
    for index, mask in enumerate(masks):
        Image.fromarray(mask).save(root / name / "masks" / f"{index:03}.png")
    return root


def test_reading(tmp_path):
    write(tmp_path, "b", nucleus(2, 1, 6, 4), nucleus(19, 0, 20, 10), nucleus(5, 3, 9, 9))
    dataset = NucleiDataset(write(tmp_path, "a"))
    assert (len(dataset), dataset.names, dataset.problems) == (2, ["a", "b"], [])
    assert dataset.classes == ("background", "nucleus")
    image, target = dataset[1]
    assert (image.shape, image.dtype) == ((3, *SIZE), torch.float32)
    torch.testing.assert_close(image[:, 3, 3], torch.tensor([200, 100, 50]) / 255)
    assert target["boxes"].tolist() == [[2, 1, 6, 4], [19, 0, 20, 10], [5, 3, 9, 9]]  # the second is one pixel wide
    assert target["area"].tolist() == [12, 10, 24]
    assert target["labels"].tolist() == [1, 1, 1]
    assert target["iscrowd"].tolist() == [0, 0, 0]
    assert target["image_id"] == 1
    expected = np.stack([nucleus(2, 1, 6, 4), nucleus(19, 0, 20, 10), nucleus(5, 3, 9, 9)]) > 0
    np.testing.assert_array_equal(target["masks"].numpy(), expected)  # pixel (5, 3) is in the first and in the last
    assert target["masks"].sum(dim=0).max() == 2
    types = {"boxes": torch.float32, "labels": torch.int64, "masks": torch.uint8, "iscrowd": torch.int64}
    assert {key: target[key].dtype for key in types} == types


def test_a_picture_without_nuclei(tmp_path):
    _, target = NucleiDataset(write(tmp_path, "a"))[0]
    shapes = {key: tuple(target[key].shape) for key in ("boxes", "labels", "masks", "iscrowd", "area")}
    assert shapes == {"boxes": (0, 4), "labels": (0,), "masks": (0, *SIZE), "iscrowd": (0,), "area": (0,)}


def test_a_nucleus_in_two_pieces_has_one_box(tmp_path):
    target = NucleiDataset(write(tmp_path, "a", nucleus(1, 1, 3, 3) | nucleus(8, 6, 9, 8))).target(-1)
    assert target["boxes"].tolist() == [[1, 1, 9, 8]]
    assert target["area"].tolist() == [6]
    assert target["image_id"] == 0


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "I;16"])
def test_masks_of_any_mode(mode, tmp_path):
    write(tmp_path, "a", nucleus(2, 1, 6, 4))
    file = tmp_path / "a" / "masks" / "000.png"
    picture = Image.open(file)
    made = Image.fromarray(np.asarray(picture).astype(np.uint16)) if mode == "I;16" else picture.convert(mode)
    made.save(file)
    with Image.open(file) as again:
        assert again.mode == mode
    assert NucleiDataset(tmp_path).target(0)["area"].tolist() == [12]


def test_all_above_0_is_nucleus(tmp_path):
    assert NucleiDataset(write(tmp_path, "a", nucleus(2, 1, 6, 4) // 255)).target(0)["area"].tolist() == [12]


def test_an_empty_mask_is_left_out_and_reported(tmp_path):
    write(tmp_path, "a", nucleus(2, 1, 6, 4), nucleus(0, 0, 0, 0), nucleus(0, 0, 0, 0))
    with pytest.warns(UserWarning, match=r"2 masks have no pixel \(object left out\): .*001\.png, in which no"):
        dataset = NucleiDataset(tmp_path)
    assert dataset.target(0)["area"].tolist() == [12]
    assert len(dataset.problems) == 2


def lose_masks(root):
    (root / "a" / "masks" / "000.png").unlink()
    (root / "a" / "masks").rmdir()


def break_file(part):
    def cut(root):
        (file,) = (root / "a" / part).glob("*.png")
        file.write_bytes(file.read_bytes()[:40])

    return cut


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        (lose_masks, r"a has no folder 'masks'"),
        (
            lambda root: next((root / "a" / "images").glob("*")).unlink(),
            r"images must have one picture \(\*\.png\), it has 0",
        ),
        (
            lambda root: Image.new("L", (20, 10)).save(root / "a" / "images" / "z.png"),
            r"must have one picture .* has 2",
        ),
        (
            lambda root: Image.new("L", (10, 20)).save(root / "a" / "masks" / "z.png"),
            r"z\.png has 20 x 10 pixels but the picture 10 x 20",
        ),
        (
            lambda root: Image.new("L", (21, 10)).save(root / "a" / "masks" / "z.png"),
            r"z\.png has 10 x 21 pixels but the picture 10 x 20",
        ),
        (break_file("masks"), r"000\.png cannot be read as a picture"),
        (lambda root: (root / "a" / "images" / "a.png").write_text("a"), r"a\.png cannot be read as a picture"),
    ],
    ids=["no masks", "no picture", "two pictures", "turned mask", "larger mask", "cut mask", "no png"],
)
def test_broken_folders(mistake, sentence, tmp_path):
    mistake(write(tmp_path, "a", nucleus(2, 1, 6, 4)))
    with pytest.raises(ValueError, match=sentence):
        NucleiDataset(tmp_path)


@pytest.mark.parametrize("made_upright", [True, False])
def test_a_picture_that_exif_turns(made_upright, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # its stored columns are its rows
    stored = nucleus(2, 1, 6, 4)  # a clock's quarter to the right it is at x 6 to 9, y 2 to 6
    write(tmp_path, "a", np.ascontiguousarray(np.rot90(stored, -1)) if made_upright else stored)
    Image.fromarray(stored).save(tmp_path / "a/images/a.png", exif=exif)
    image, target = NucleiDataset(tmp_path)[0]
    assert image.shape == (3, 20, 10)
    assert target["boxes"].tolist() == [[6, 2, 9, 6]]
    np.testing.assert_array_equal(target["masks"][0].numpy(), image[0].numpy())


@pytest.mark.parametrize("folder", ["", "none"])
def test_no_pictures(folder, tmp_path):
    with pytest.raises(ValueError, match="has no folders of pictures"):
        NucleiDataset(tmp_path / folder)


def test_the_fingerprint_is_of_the_masks(tmp_path):
    first = NucleiDataset(write(tmp_path, "a", nucleus(2, 1, 6, 4))).fingerprint
    assert NucleiDataset(tmp_path).fingerprint == first
    assert NucleiDataset(write(tmp_path, "a", nucleus(2, 1, 6, 5))).fingerprint != first


def test_the_real_set(real_data):
    root = real_data / "dsb2018_small" / "stage1_train"
    dataset = NucleiDataset(root)
    counts = [len(dataset.target(i)["labels"]) for i in range(len(dataset))]
    assert (len(dataset), sum(counts), max(counts), dataset.problems) == (99, 1895, 40, [])
    for i in (0, 6, 98):  # grey, coloured, grey
        image, target = dataset[i]
        folder = Path(root, dataset.names[i])
        (picture,) = (folder / "images").iterdir()
        with Image.open(picture) as theirs:
            assert theirs.mode == "RGBA"
            pixels = np.asarray(theirs)
        assert (pixels[..., 3] == 255).all()
        np.testing.assert_allclose(image.numpy(), pixels[..., :3].transpose(2, 0, 1) / 255, atol=1e-6)
        files = sorted((folder / "masks").iterdir())
        for file, mask, box, area in zip(files, *(target[key] for key in ("masks", "boxes", "area")), strict=True):
            with Image.open(file) as theirs:
                theirs = np.asarray(theirs) == 255
            np.testing.assert_array_equal(mask.numpy(), theirs)
            y, x = np.nonzero(theirs)
            assert box.tolist() == [x.min(), y.min(), x.max() + 1, y.max() + 1]
            assert area == theirs.sum()
    learnt, held_out = hold_out(dataset)
    assert (len(learnt), len(held_out), sum(counts[i] for i in held_out.rows)) == (79, 20, 365)
