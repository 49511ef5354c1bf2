"""Small folders in the layout of Penn-Fudan, for tests."""

import numpy as np
from PIL import Image

HEAD = """# Compatible with PASCAL Annotation Version 1.00
Image filename : "PennFudanPed/PNGImages/{name}.png"
Image size (X x Y x C) : 20 x 10 x 3
Database : "The Penn-Fudan-Pedestrian Database"
Objects with ground truth : {count} {{ {kinds} }}
# Note there may be some objects not included in the ground truth list for they are severe-occluded
# or have very small size.
# Top left pixel co-ordinates : (1, 1)
"""
OBJECT = """
# Details for pedestrian {k} ("PASpersonWalking")
Original label for object {k} "PASpersonWalking" : "PennFudanPed"
Bounding box for object {k} "PASpersonWalking" (Xmin, Ymin) - (Xmax, Ymax) : ({}, {}) - ({}, {})
Pixel mask for object {k} "PASpersonWalking" : "PennFudanPed/PedMasks/{name}_mask.png"
"""


def text(name, boxes, count=None):
    kinds = " ".join(['"PASpersonWalking"'] * len(boxes))
    head = HEAD.format(name=name, count=len(boxes) if count is None else count, kinds=kinds)
    return head + "".join(OBJECT.format(*box, k=k, name=name) for k, box in enumerate(boxes, start=1))


def write(root, name="P1", boxes=((2, 3, 5, 9), (11, 1, 20, 10)), newline="\n"):
    """A picture of 20 x 10 pixels whose mask fills the boxes."""
    for folder in ("Annotation", "PNGImages", "PedMasks"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    mask = np.zeros((10, 20), np.uint8)
    for k, (x1, y1, x2, y2) in enumerate(boxes, start=1):
        mask[y1 - 1 : y2, x1 - 1 : x2] = k
    (root / "Annotation" / f"{name}.txt").write_text(text(name, boxes), newline=newline)
    Image.fromarray(np.full((10, 20, 3), 51, np.uint8)).save(root / "PNGImages" / f"{name}.png")
    Image.fromarray(mask).save(root / "PedMasks" / f"{name}_mask.png")
    return root
