"""Small data sets for tests of whole trainings: coloured squares on grey noise."""

import numpy as np
import torch

CLASSES = ("background", "red", "blue")


class Squares:
    """Pictures (3, 48, 64) of grey noise with a red square (label 1) and a blue one (label 2), each 16 to 23 pixels
    wide.
    """

    classes = CLASSES

    def __init__(self, length, seed=0):
        self.length, self.seed = length, seed
        self.fingerprint = f"squares {length} {seed}"

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        rng = np.random.default_rng([self.seed, index])
        image = 0.4 + 0.1 * torch.from_numpy(rng.random((3, 48, 64), dtype=np.float32))
        boxes = []
        for label, left in ((1, 0), (2, 32)):
            side = int(rng.integers(16, 24))
            x, y = left + int(rng.integers(1, 32 - side)), int(rng.integers(1, 48 - side))
            colour = torch.tensor([0.9, 0.1, 0.1] if label == 1 else [0.1, 0.1, 0.9])
            image[:, y : y + side, x : x + side] = colour[:, None, None]
            boxes.append([x, y, x + side, y + side])
        return image, {"boxes": torch.tensor(boxes, dtype=torch.float32), "labels": torch.tensor([1, 2])}


class CutSquares(Squares):
    """The squares without their lower right quarters, so that a mask is not its box; with masks."""

    def __getitem__(self, index):
        image, target = super().__getitem__(index)
        masks = torch.zeros(2, 48, 64, dtype=torch.uint8)
        for mask, (x1, y1, x2, y2) in zip(masks, target["boxes"].int().tolist(), strict=True):
            x, y = (x1 + x2) // 2, (y1 + y2) // 2
            mask[y1:y2, x1:x2] = 1
            mask[y:y2, x:x2] = 0
            image[:, y:y2, x:x2] = 0.45
        return image, target | {"masks": masks}


class CornerSquares(Squares):
    """The squares with three keypoints: upper left corner, upper right corner, middle. Blue squares have none."""

    keypoint_flip = (1, 0, 2)

    def __getitem__(self, index):
        image, target = super().__getitem__(index)
        x1, y1, x2, y2 = target["boxes"][0].tolist()
        points = torch.zeros(2, 3, 3)
        points[0] = torch.tensor([[x1, y1, 2], [x2, y1, 2], [(x1 + x2) / 2, (y1 + y2) / 2, 2]])
        return image, target | {"keypoints": points}
