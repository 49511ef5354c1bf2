"""benchmarks/claims.json: complete, up to date with the measurements, and with verdicts that follow from them."""

import copy
import json

import claims
import pytest
from claims_words import entry

from rcnn_lite.evaluation.comparing import VERDICTS

KEYS = ["id", "claim", "paper", "here", "seeds", "verdict", "why", "source"]


@pytest.fixture(scope="module")
def stored():
    return json.loads(claims.RESULT.read_text(encoding="utf-8"))


def test_the_file_is_what_the_measurements_say_today():
    assert claims.RESULT.read_text(encoding="utf-8") == claims.as_text(claims.claims()), "run benchmarks/claims.py"


def test_every_claim_is_there_once_in_the_order_of_the_papers(stored):
    assert [line["id"] for line in stored] == list(claims.IDS)
    assert len(claims.IDS) == 27


def test_every_line_says_everything(stored):
    for line in stored:
        assert list(line) == KEYS
        assert line["verdict"] in VERDICTS
        assert all(len(line[key]) > 5 for key in ("claim", "paper", "here", "why"))
        assert (claims.ROOT / line["source"]).is_file()
        assert (line["seeds"] == 0) == (line["verdict"] == "not testable at this size")


def changed(path, value):
    """`claims.measured` with one number replaced: (file, key, key, ..., last)."""

    def read(source):
        document = copy.deepcopy(claims.measured(source))
        if source.endswith(path[0]):
            inner = document
            for key in path[1:-1]:
                inner = inner[key]
            inner[path[-1]] = value
        return document

    return read


@pytest.mark.parametrize(
    ("claim", "path", "value", "verdict"),
    [
        ("R1", ("rcnn_ablations.json", "layers", "gains", "R1 fine-tuning, fc7"), [-0.2, -0.1], "not reproduced"),
        ("R5", ("rcnn_ablations.json", "crops", "gain"), [-0.2, -0.1], "not reproduced"),
        ("X3", ("faster_rcnn.json", "X3", "rows", "shared", "gain"), [0.01, 0.03], "reproduced"),
        ("X6", ("faster_rcnn.json", "X6", "rows", "100", "gain"), [-0.09, 0.0], "cannot tell"),
        ("X7", ("faster_rcnn.json", "X7", "rows", "alternating", "gain"), [0.04, 0.09], "not reproduced"),
        ("M4", ("mask_rcnn.json", "M4", "rows", "Mask R-CNN", "gain", "box AP"), [0.01, 0.02], "reproduced"),
        ("M6", ("mask_rcnn.json", "M6", "rows", "C4", "share"), 0.4, "not reproduced"),
    ],
)
def test_another_measurement_gives_another_verdict(claim, path, value, verdict):
    lines = {line["id"]: line for line in claims.claims(changed(path, value)) if line["id"] == claim}
    assert lines[claim]["verdict"] == verdict
    assert lines[claim] != next(line for line in claims.claims() if line["id"] == claim)


def test_an_old_sentence_cannot_explain_a_new_verdict():
    with pytest.raises(ValueError, match="R9 is now 'reproduced': say why"):
        entry(("R9", "c", "p"), "h", 1, "reproduced", {"cannot tell": "Too few scenes."}, "s")
    with pytest.raises(ValueError, match="R9: no verdict is called 'maybe'"):
        entry(("R9", "c", "p"), "h", 1, "maybe", "Because.", "s")
