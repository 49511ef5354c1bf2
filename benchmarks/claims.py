"""What the papers claim, and what was measured here: benchmarks/claims.json.

    python benchmarks/claims.py

Nothing is measured by this script. Figures come from data/measurements/*.json, each of which names the command that
made it; verdicts come from `rcnn_lite.evaluation.comparing`: a claim that something is better is reproduced if the 95 %
interval of the gain lies above 0, not reproduced if it lies below, and across 0 these scenes cannot tell. The file is a
list with, for each claim, `id`, `claim`, the figures of the `paper` and those `here`, the number of `seeds`, the
`verdict`, `why`, and the `source` of the figures.
"""

import json
from pathlib import Path

from claims_fast_rcnn import fast_r_cnn
from claims_faster_rcnn import faster_r_cnn
from claims_mask_rcnn import mask_r_cnn
from claims_rcnn import r_cnn

from rcnn_lite.cache import write_atomically
from rcnn_lite.checkpoints import load_checkpoint

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "claims.json"
IDS = tuple(
    f"{paper}{number}" for paper, last in {"R": 7, "F": 7, "X": 7, "M": 6}.items() for number in range(1, last + 1)
)


def main() -> None:
    """Write the file, and say how it stands."""
    lines = claims()
    write_atomically(RESULT, lambda file: file.write_text(as_text(lines), encoding="utf-8"))
    for line in lines:
        print(f"{line['id']}  {line['verdict']:28} {line['seeds']} seeds  {line['here']}")
    print(f"{sum(line['seeds'] >= 3 for line in lines)} of {len(lines)} claims over three seeds")


def claims(read=None) -> list[dict]:
    """All claims, in the order of the papers."""
    read = read or measured
    return [*r_cnn(read), *fast_r_cnn(read), *faster_r_cnn(read), *mask_r_cnn(read)]


def measured(source: str) -> dict:
    """What a file of the project says: measurements, or the header of a checkpoint."""
    file = ROOT / source
    return load_checkpoint(file)[1] if file.suffix == ".safetensors" else json.loads(file.read_text(encoding="utf-8"))


def as_text(lines: list[dict]) -> str:
    """The file's text."""
    return json.dumps(lines, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    main()
