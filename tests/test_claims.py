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
        ("R4", ("rcnn_ablations.json", "held_out", "gain over the widest"), [-0.02, -0.01], "not reproduced"),
        ("R5", ("rcnn_ablations.json", "crops", "gain"), [-0.2, -0.1], "not reproduced"),
        ("X3", ("faster_rcnn.json", "X3", "rows", "shared", "gain"), [0.01, 0.03], "reproduced"),
        ("X6", ("faster_rcnn.json", "X6", "rows", "0.1", "gain"), [-0.02, 0.02], "reproduced"),
        ("X7", ("faster_rcnn.json", "X7", "rows", "alternating", "gain"), [0.04, 0.09], "not reproduced"),
        ("M4", ("mask_rcnn.json", "M4", "rows", "Mask R-CNN", "gain", "box AP"), [0.01, 0.02], "reproduced"),
        ("M6", ("scoreboard.json", "rows", 7, "total seconds"), [0.03, 0.03, 0.03], "not reproduced"),
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


def scoreboard_of(**rows):
    """`claims.measured` with a scoreboard of a few rows, three seeds each: name = (mAP, seconds, gain)."""

    def row(name, score, seconds, gain):
        runs = [{"mAP": score + seed / 100} for seed in range(3)]
        stages = [{"proposals": 0.04, "heads": seconds - 0.04}] * 3
        made = {"name": name, "seeds": [0, 1, 2], "runs": runs, "total seconds": [seconds] * 3}
        made |= {"seconds of each seed": stages, "training processor seconds": [1000 * seconds] * 3}
        return made | {key: {"mAP": gain, "seeds": 3} for key in ("gain over rcnn", "gain")}

    made = [row(name, *values) for name, values in rows.items()]

    def read(source):
        return {"rows": made, "variants": []} if source.endswith("scoreboard.json") else claims.measured(source)

    return read


def test_the_scoreboard_is_believed_where_it_has_more_seeds():
    read = scoreboard_of(
        rcnn=(0.86, 2.04, [0, 0]),
        sppnet=(0.84, 0.24, [-0.05, -0.01]),
        fast_rcnn=(0.88, 0.14, [-0.01, 0.04]),
        fast_rcnn_truncated=(0.87, 0.09, [-0.02, 0.01]),
        fast_rcnn_pyramid=(0.87, 0.34, [-0.03, 0.01]),
        rcnn_without_regression=(0.83, 2.0, [-0.04, -0.01]),
        rcnn_untuned_without_regression=(0.68, 2.0, [-0.18, -0.12]),
        regression=(0.09, 0.03, [-0.8, -0.7]),
    )
    lines = {line["id"]: line for line in claims.claims(read)}
    from_board = {name for name, line in lines.items() if line["source"].endswith("scoreboard.json")}
    assert from_board == {"F1", "F2", "F3", "F4", "F7", "R1", "R3", "R7"}
    assert all(lines[name]["seeds"] == 3 for name in from_board)
    assert {lines[name]["verdict"] for name in from_board} == {"reproduced"}
    assert lines["F1"]["here"].startswith("20.0 (20.0 .. 20.0) times; SPPnet 10.0 (10.0 .. 10.0) times")
    assert lines["F2"]["here"].startswith("14.6 (14.6 .. 14.6) times")
    assert lines["R1"]["here"] == "fc6: 69.0 (68.0 .. 70.0) -> 84.0 (83.0 .. 85.0) mAP, gain +12.0 .. +18.0"
    assert lines["R3"]["here"] == "fc6: 84.0 (83.0 .. 85.0) -> 87.0 (86.0 .. 88.0) mAP, gain +1.0 .. +4.0"


def test_without_a_scoreboard_there_are_the_first_measurements():
    def read(source):
        if source.endswith("scoreboard.json"):
            raise FileNotFoundError(source)
        return claims.measured(source)

    assert not any(line["source"].endswith("scoreboard.json") for line in claims.claims(read))
