"""Folders of annotated pictures as people have them: coloured squares in COCO's and in VOC's layout."""

import json

from PIL import Image
from squares import CLASSES, CutSquares

from rcnn_lite.images import tensor_to_image
from rcnn_lite.regions.run_lengths import encode_runs


def coco_folder(folder, length=8, seed=0):
    """DIR/images and DIR/annotations.json: squares that lack a quarter, with masks. Categories are 5 and 9."""
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    for i, (image, target) in enumerate(_items(CutSquares(length, seed)), start=1):
        name = f"{i:03d}.png"
        Image.fromarray(tensor_to_image(image)).save(folder / "images" / name)
        images.append({"id": i, "file_name": name, "height": image.shape[1], "width": image.shape[2]})
        for (x1, y1, x2, y2), label, mask in zip(target["boxes"].tolist(), (5, 9), target["masks"], strict=True):
            one = {"id": len(annotations) + 1, "image_id": i, "category_id": label, "iscrowd": 0}
            one |= {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": int(mask.sum())}
            annotations.append(one | {"segmentation": encode_runs(mask.numpy())})
    categories = [{"id": 5, "name": CLASSES[1]}, {"id": 9, "name": CLASSES[2]}]
    text = json.dumps({"images": images, "annotations": annotations, "categories": categories})
    (folder / "annotations.json").write_text(text)
    return folder


def voc_folder(folder, length=6):
    """Annotations/ and JPEGImages/ without lists of splits: squares with boxes only."""
    for name in ("Annotations", "JPEGImages"):
        (folder / name).mkdir(parents=True)
    for i, (image, target) in enumerate(_items(CutSquares(length))):
        Image.fromarray(tensor_to_image(image)).save(folder / "JPEGImages" / f"{i:03d}.jpg")
        objects = ""
        for (x1, y1, x2, y2), label in zip(target["boxes"].int().tolist(), target["labels"].tolist(), strict=True):
            box = f"<xmin>{x1 + 1}</xmin><ymin>{y1 + 1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax>"
            objects += f"<object><name>{CLASSES[label]}</name><bndbox>{box}</bndbox></object>"
        size = "<size><width>64</width><height>48</height><depth>3</depth></size>"
        text = f"<annotation><filename>{i:03d}.jpg</filename>{size}{objects}</annotation>"
        (folder / "Annotations" / f"{i:03d}.xml").write_text(text)
    return folder


def _items(dataset):
    return (dataset[i] for i in range(len(dataset)))
