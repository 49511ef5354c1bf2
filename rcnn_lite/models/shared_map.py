"""What Fast R-CNN, Faster R-CNN and the RPN alone share: one map of a picture for all regions, trained end to end.

The convolutions run once a picture, up to one stage of the backbone; what is behind that stage differs from paper to
paper. Pictures are resized before, in training to a size drawn at random; batch normalisation is folded into the
convolutions: two pictures a step are too few to renew it.

Notation: (H, W) of an image as given, (h, w) of the picture that the network sees, C channels of the map.
"""

import torch
from torch import Generator, Tensor, nn

from rcnn_lite.boxes import clip_boxes, remove_small_boxes, require_positive_area
from rcnn_lite.distributed import in_turn
from rcnn_lite.images import resize
from rcnn_lite.models.backbone import Backbone, build_backbone
from rcnn_lite.models.differences import apply_difference, pack_difference
from rcnn_lite.models.settings import plain, restore
from rcnn_lite.models.stopwatch import Stopwatch
from rcnn_lite.regions.scales import scale_boxes

MIN_SEEN = 1.0  # pixels of an image: an object of which less is inside cannot be learned from


class SharedMapDetector(nn.Module):
    """A backbone up to `settings.stride` and K class names with "background" first; a subclass adds what comes after.

    Its settings have ``training_sides``, ``long_side``, ``stride`` and ``frozen_stages``.
    """

    model: str  # by which checkpoints know it
    title: str  # by which people know it
    Settings: type
    confident = 0.5  # detections of at least this score are worth drawing: a probability

    def __init__(self, backbone: Backbone, classes: tuple[str, ...], settings):
        super().__init__()
        self.classes, self.settings, self.watch = tuple(classes), settings, Stopwatch()
        shared = sum(stride <= settings.stride for stride in backbone.strides)
        self.backbone = backbone.fused().trunk(shared)
        self.original = {f"backbone.{name}": value.clone() for name, value in self.backbone.state_dict().items()}
        self.backbone.stages[settings.frozen_stages :].requires_grad_(True)

    @property
    def device(self) -> torch.device:
        """Where the model lives; images, targets and proposals are moved there."""
        return self.backbone.mean.device

    @property
    def channels(self) -> int:
        """C: how many numbers a cell of the shared map has."""
        return self.backbone.channels[-1]

    def maps(self, pictures: list[Tensor]) -> list[Tensor]:
        """The map of each picture (3, h, w), that all its regions share: (1, C, ~h / stride, ~w / stride).

        Pictures of one size go through the convolutions together, others by themselves: nothing is padded.
        """
        if len({picture.shape for picture in pictures}) == 1:
            return self.convolve(torch.stack(pictures).contiguous(memory_format=torch.channels_last))
        return [self.features(picture) for picture in pictures]

    def convolve(self, batch: Tensor) -> list[Tensor]:
        """`maps` of N pictures of one size: (N, 3, h, w) -> N times (1, C, ~h / stride, ~w / stride)."""
        return list(self.backbone(batch)[-1].split(1))

    def features(self, picture: Tensor) -> Tensor:
        """`maps` of one picture: (3, h, w) -> (1, C, ~h / stride, ~w / stride)."""
        return self.maps([picture])[0]

    def draw_picture(self, image: Tensor, generator: Generator | None) -> Tensor:
        """An image (3, H, W) at one of the training sizes, drawn at random (Fast R-CNN, section 2.4): (3, h, w)."""
        sides = self.settings.training_sides
        with in_turn(generator):
            side = sides[int(torch.randint(len(sides), (), generator=generator))]
        return resize(image.to(self.device), side, self.settings.long_side)

    def seen(self, target: dict, image_size: tuple[int, int], size: tuple[int, int]) -> dict[str, Tensor]:
        """A target's boxes and labels in the pixels of a picture of another size: objects as far as they can be seen.

        Boxes are cut at the border. Objects outside, and crowds, which are none, are left out: "rows" says which of the
        target's objects remain.
        """
        labels = target["labels"].to(self.device)
        crowd = target["iscrowd"].to(self.device).bool() if "iscrowd" in target else torch.zeros_like(labels).bool()
        rows = torch.nonzero(~crowd).flatten()
        boxes = target["boxes"].to(self.device)[rows]
        require_positive_area(boxes, "boxes")
        boxes = clip_boxes(boxes, image_size)
        inside = remove_small_boxes(boxes, MIN_SEEN)
        boxes, rows = boxes[inside], rows[inside]
        return {"boxes": scale_boxes(boxes, image_size, size), "labels": labels[rows], "rows": rows}

    def to_checkpoint(self) -> tuple[dict[str, Tensor], dict]:
        """Tensors and description from which `from_checkpoint` makes the same model.

        The backbone is there by name; what training changed in it, and the heads, in 8 bits a number (`differences`).
        """
        tensors = pack_difference(self.state_dict(), self._start())
        description = {"model": self.model, "backbone": self.backbone.name, "classes": list(self.classes)}
        return tensors, description | {"settings": plain(self.settings)}

    @classmethod
    def from_checkpoint(cls, tensors: dict[str, Tensor], description: dict, backbone: Backbone | None = None):
        """The model that `to_checkpoint` described; ValueError where the two do not fit."""
        backbone = backbone or build_backbone(description["backbone"])
        model = cls(backbone, description["classes"], restore(cls.Settings(), description["settings"]))
        layers = {name for name, value in model.named_parameters() if value.ndim >= 2 and name not in model.original}
        if missing := sorted(layers - tensors.keys()):
            raise ValueError(f"the checkpoint lacks {missing[0]}: it does not fit its description of a {cls.title}")
        model.load_state_dict(apply_difference(tensors, model._start()))
        return model.eval()

    def _start(self) -> dict[str, Tensor]:
        """What a checkpoint holds the difference to: the backbone as it came, and heads of zeros."""
        return {name: self.original.get(name, torch.zeros_like(value)) for name, value in self.state_dict().items()}


def require_same_length(images: list[Tensor], **others: list) -> None:
    """ValueError unless there is one of everything for each image."""
    for name, values in others.items():
        if len(values) != len(images):
            raise ValueError(f"there are {len(images)} images and {name} for {len(values)}")
