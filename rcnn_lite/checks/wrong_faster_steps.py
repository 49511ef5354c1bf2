"""Known wrong versions of notebook 12's functions. The docstring of each is what a learner who makes it is told."""

import torch

from rcnn_lite.boxes import clip_boxes
from rcnn_lite.regions.scales import scale_boxes

# ---- to_image ----


def image_inverse(boxes, picture_size, image_size):
    """you multiply by picture / image; the way back is image / picture."""
    return clip_boxes(scale_boxes(boxes, image_size, picture_size), image_size)


def image_one_factor(boxes, picture_size, image_size):
    """you use the factor of the height for x too. Sizes are rounded to whole pixels, so the two differ."""
    return clip_boxes(boxes * (image_size[0] / picture_size[0]), image_size)


def image_swapped(boxes, picture_size, image_size):
    """you scale x by the heights and y by the widths: sizes are (H, W), boxes x before y."""
    return clip_boxes(scale_boxes(boxes, picture_size[::-1], image_size[::-1]), image_size)


def image_not_clipped(boxes, picture_size, image_size):
    """you do not clip: a box may reach beyond the border of the image."""
    return scale_boxes(boxes, picture_size, image_size)


def image_clipped_before(boxes, picture_size, image_size):
    """you clip to the image's size while the boxes are still in the picture's pixels: scale first."""
    return scale_boxes(clip_boxes(boxes, image_size), picture_size, image_size)


def image_last_pixel(boxes, picture_size, image_size):
    """you clip to W - 1 and H - 1; the last column's right edge lies at W."""
    return clip_boxes(scale_boxes(boxes, picture_size, image_size), (image_size[0] - 1, image_size[1] - 1))


def image_rounded(boxes, picture_size, image_size):
    """you round to whole pixels. Boxes are continuous; what is rounded here is lost for the pooling and the AP."""
    return clip_boxes(scale_boxes(boxes, picture_size, image_size), image_size).round()


# ---- trainable ----


def _learns(parts, step, table):
    right = {1: (1, 2), 2: (1, 3), 3: (2,), 4: (3,), 0: (1, 2, 3)}
    return torch.isin(parts, torch.tensor((right | table)[step], dtype=torch.int64))


def train_shared_always(parts, step):
    """you train the shared convolutions in steps 3 and 4 as well: each would change them under the other's layers."""
    return _learns(parts, step, {3: (1, 2), 4: (1, 3)})


def train_first_stages(parts, step):
    """you train the first stages with the others; they stay as ImageNet left them, in every step."""
    return _learns(parts, step, {1: (0, 1, 2), 2: (0, 1, 3), 0: (0, 1, 2, 3)})


def train_shared_once(parts, step):
    """you freeze the convolutions in step 2. It starts from ImageNet again and trains convolutions of its own."""
    return _learns(parts, step, {2: (3,)})


def train_shared_never(parts, step):
    """you never train the convolutions. Steps 1 and 2 are ordinary end-to-end trainings of one network each."""
    return _learns(parts, step, {1: (2,), 2: (3,), 0: (2, 3)})


def train_both_heads_last(parts, step):
    """you train the RPN in step 4 too. Its proposals were made before step 4 and stay as they are."""
    return _learns(parts, step, {4: (2, 3)})


def train_steps_swapped(parts, step):
    """you exchange steps 3 and 4: first the RPN fits the new convolutions, then the detector the new proposals."""
    return _learns(parts, step, {3: (3,), 4: (2,)})


def train_joint_heads_only(parts, step):
    """you freeze the convolutions in joint training; there both losses reach them, in every step."""
    return _learns(parts, step, {0: (2, 3)})
