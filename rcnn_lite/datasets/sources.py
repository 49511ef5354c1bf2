"""Where the public data sets come from: their own places, with the checksums that are known.

VOC's addresses and checksums are torchvision's; those of COCO are the SHA-1 sums that GluonCV and others have verified
for years. Nobody publishes one for Penn-Fudan: its size is known, and the archive has a CRC-32 of every file, which is
checked when it is unpacked.
"""

from pathlib import Path
from typing import NamedTuple

from rcnn_lite.datasets.archives import unpack
from rcnn_lite.datasets.download import RemoteFile, fetch


class Source(NamedTuple):
    """An archive, and the folder in it that is wanted."""

    remote: RemoteFile
    inside: str


COCO = {
    "train2017": Source(
        RemoteFile("http://images.cocodataset.org/zips/train2017.zip", "sha1:10ad623668ab00c62c096f0ed636d6aff41faca5"),
        "train2017",
    ),
    "val2017": Source(
        RemoteFile("http://images.cocodataset.org/zips/val2017.zip", "sha1:4950dc9d00dbe1c933ee0170f5797584351d2a41"),
        "val2017",
    ),
    "annotations": Source(
        RemoteFile(
            "http://images.cocodataset.org/annotations/annotations_trainval2017.zip",
            "sha1:8551ee4bb5860311e79dace7e79cb91e432e78b3",
        ),
        "annotations",
    ),
}
PENN_FUDAN = Source(
    RemoteFile("https://www.cis.upenn.edu/~jshi/ped_html/PennFudanPed.zip", size=53_723_336), "PennFudanPed"
)


def obtain(source: Source, target: str | Path) -> None:
    """Fetch and unpack a source as the folder ``target``, unless that is there; the archive is not kept.

    Raises as `fetch` and `unpack` do; ``target`` is complete or is not there.
    """
    target = Path(target)
    if target.exists():
        return
    brought = (target.parent / source.remote.name).is_file()
    archive = fetch(source.remote, target.parent)
    unpack(archive, source.inside, target)
    if not brought:
        archive.unlink()


def obtain_coco(images: Path, annotations: Path) -> None:
    """COCO 2017's pictures as the folder ``images`` (train2017 or val2017) and its annotations as ``annotations``'s.

    ValueError for another folder, or a file that is none of that set.
    """
    if images.name not in ("train2017", "val2017") or annotations.name != f"instances_{images.name}.json":
        raise ValueError(
            "of COCO, .../train2017 with .../instances_train2017.json and .../val2017 with .../instances_val2017.json "
            f"can be fetched, not {images} with {annotations}"
        )
    obtain(COCO["annotations"], annotations.parent)
    obtain(COCO[images.name], images)


def voc_source(year: int | None, split: str | None) -> tuple[Source, str]:
    """The archive with a split of VOC, and the name of its folder. ValueError for a year without one."""
    from torchvision.datasets.voc import DATASET_YEAR_DICT

    test = year == 2007 and str(split).rpartition("/")[2].endswith("test")
    entry = DATASET_YEAR_DICT.get(f"{year}-test" if test else str(year))
    if entry is None:
        years = ", ".join(key for key in DATASET_YEAR_DICT if key.isdecimal())
        raise ValueError(f"year must be one of {years} for VOC to be fetched, got {year}")
    return Source(RemoteFile(entry["url"], f"md5:{entry['md5']}"), entry["base_dir"]), f"VOC{year}{'-test' * test}"
