"""Checks of notebook 00's exercises: the family in one picture. Known mistakes are in `wrong_family`."""

import numpy as np
import torch
from torch import Tensor

from rcnn_lite.checks import wrong_family as wrong
from rcnn_lite.checks.harness import Case, CheckFailed, Exercise, known
from rcnn_lite.checks.pictures import Outline, Picture
from rcnn_lite.family import FAMILY, QUESTIONS
from rcnn_lite.plotting import DETECTION, GROUND_TRUTH, PROPOSAL

NO_BOX = torch.zeros(0, 4)


def _whole(*values) -> Tensor:
    return torch.tensor(values, dtype=torch.int64)


# ---- exercise 1 ----


def _pixels_through(image_sizes: Tensor, proposals: Tensor, side: int) -> tuple[int, int]:
    return int(proposals.sum()) * side * side, int(image_sizes.prod(dim=1).sum())


def _random_pictures(rng: np.random.Generator, size: int) -> tuple:
    """Sizes and numbers of proposals of some pictures; a picture without proposals comes up now and then."""
    sizes = torch.from_numpy(rng.integers(2, 9, (size, 2)))
    return sizes, torch.from_numpy(rng.integers(0, 6, size)), int(rng.integers(2, 6))


check_pixels_through = Exercise(
    name="pixels_through",
    cases=(
        Case((_whole((4, 6)), _whole(1), 3), (9, 24), "one region of 3 x 3; one picture of 4 x 6"),
        Case((_whole((4, 6)), _whole(5), 3), (45, 24), "five regions of 3 x 3; still one picture of 4 x 6"),
        Case((_whole((4, 6)), _whole(0), 3), (0, 24), "no region; the picture's map is computed all the same"),
        Case((_whole((4, 6), (2, 5)), _whole(2, 3), 3), (45, 34), "2 + 3 regions of 9; pictures of 24 and 10"),
        Case(
            (_whole((600, 1000)), _whole(2000), 227),
            (103_058_000, 600_000),
            "2,000 regions of 227 x 227; one picture of 600 x 1000: 172 times less",
        ),
        Case((torch.zeros(0, 2, dtype=torch.int64), torch.zeros(0, dtype=torch.int64), 3), (0, 0), "no pictures"),
    ),
    reference=_pixels_through,
    known=known(
        wrong.pixels_swapped,
        wrong.pixels_side_once,
        wrong.pixels_shared_by_region,
        wrong.pixels_also_picture,
        wrong.pixels_skip_empty,
        wrong.pixels_perimeter,
        wrong.pixels_mean,
    ),
    draw=_random_pictures,
    together=((0, 1),),
)


# ---- exercise 2 ----


def _found(boxes: tuple, labels: tuple, scores: tuple) -> dict[str, Tensor]:
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    return {"boxes": boxes, "labels": _whole(*labels), "scores": torch.tensor(scores, dtype=torch.float32)}


def _boxes_of(detection: dict, label: int, min_score: float) -> Tensor:
    return detection["boxes"][(detection["labels"] == label) & (detection["scores"] >= min_score)]


def _random_detection(rng: np.random.Generator, size: int) -> tuple:
    """A detection of ``size`` boxes in any order; no score equals the least one asked for."""
    corner = rng.integers(0, 6, (size, 2))
    boxes = np.hstack((corner, corner + rng.integers(1, 7, (size, 2))))
    scores = rng.permutation(np.arange(-20, 20))[:size] / 10
    return _found(boxes, rng.integers(1, 4, size), scores), int(rng.integers(1, 4)), -0.55


def _found_picture(case: Case, result: object) -> Picture:
    found = case.args[0]
    names = [f"{k}: {s:.2f}" for k, s in zip(found["labels"].tolist(), found["scores"].tolist(), strict=True)]
    marks = (Outline("detections, class: score", found["boxes"], PROPOSAL, names=names),)
    right, yours = Outline("right", case.expected, GROUND_TRUTH), Outline("yours", result, DETECTION, dashed=True)
    return Picture((*marks, right, yours))


_ONE, _TWO = (0, 0, 2, 3), (4, 1, 6, 6)
check_boxes_of = Exercise(
    name="boxes_of",
    cases=(
        Case((_found((_ONE,), (1,), (0.5,)), 1, 0.0), torch.tensor([_ONE]).float(), "class 1, and 0.5 is above 0"),
        Case((_found((_ONE,), (2,), (0.5,)), 1, 0.0), NO_BOX, "it is of class 2: nothing is left, shape (0, 4)"),
        Case((_found((_ONE,), (1,), (-0.5,)), 1, 0.0), NO_BOX, "-0.5 is below 0: nothing is left, shape (0, 4)"),
        Case((_found((_ONE,), (1,), (0.0,)), 1, 0.0), torch.tensor([_ONE]).float(), "exactly the least score is kept"),
        Case(
            (_found((_ONE, _TWO), (1, 2), (0.5, 0.25)), 2, 0.0),
            torch.tensor([_TWO]).float(),
            "box 1 is of class 2 and scores 0.25",
        ),
        Case(
            (_found((_ONE, _TWO, _TWO), (2, 2, 1), (1.5, -1.0, -2.0)), 2, -1.0),
            torch.tensor([_ONE, _TWO]).float(),
            "both boxes of class 2 score at least -1",
        ),
        Case(
            (_found((_TWO, _ONE), (1, 2), (-1.0, 1.0)), 2, 0.0),
            torch.tensor([_ONE]).float(),
            "row 1, although row 0 has the lower score: they come in any order",
        ),
        Case((_found((), (), ()), 1, 0.0), NO_BOX, "no detections"),
    ),
    reference=_boxes_of,
    known=known(
        wrong.boxes_any_class,
        wrong.boxes_any_score,
        wrong.boxes_above,
        wrong.boxes_either,
        wrong.boxes_best_only,
        wrong.boxes_below,
        wrong.boxes_label_as_row,
    ),
    draw=_random_detection,
    picture=_found_picture,
)


# ---- exercise 3 ----


def _speedup(seconds: Tensor, stage: int, factor: float) -> float:
    faster = seconds.clone()
    faster[stage] /= factor
    return float(seconds.sum() / faster.sum())


def _random_stages(rng: np.random.Generator, size: int) -> tuple:
    seconds = torch.from_numpy(rng.integers(1, 20, size) / 4).float()
    return seconds, int(rng.integers(size)), float(rng.integers(2, 9))


check_speedup = Exercise(
    name="speedup",
    cases=(
        Case((torch.tensor([6.0]), 0, 3.0), 3.0, "one stage, 3 times as fast: 6 / 2"),
        Case((torch.tensor([6.0, 2.0]), 0, 3.0), 2.0, "8 seconds before, 6 / 3 + 2 = 4 after"),
        Case((torch.tensor([6.0, 2.0]), 1, 2.0), 8 / 7, "8 seconds before, 6 + 2 / 2 = 7 after"),
        Case((torch.tensor([1.0, 2.0, 3.0]), 2, 1.0), 1.0, "a factor of 1 changes nothing"),
        Case((torch.tensor([9.0, 1.0]), 0, 9e9), 10.0, "9 of 10 seconds gone: 10 / 1, and never more"),
        Case(
            (torch.tensor([1.51, 47.0]), 1, 146.0),
            48.51 / (1.51 + 47 / 146),
            "the papers' figures: 48.51 seconds before, 1.51 + 0.32 after",
        ),
    ),
    reference=_speedup,
    known=known(
        wrong.speedup_upside_down,
        wrong.speedup_share,
        wrong.speedup_drops_stage,
        wrong.speedup_of_all,
        wrong.speedup_seconds_saved,
        wrong.speedup_weighted,
    ),
    draw=_random_stages,
)


# ---- exercise 4 ----


def check_new_answers(answers: dict[str, set[str]]) -> None:
    """Check which questions each successor of R-CNN answered anew: a dict from its name to a set of `QUESTIONS`.

    Prints one line if all are right; else raises `CheckFailed` with a sentence for each detector that is not.
    """
    successors = {detector.name: detector for detector in FAMILY[2:]}
    if not isinstance(answers, dict) or not answers or any(a in (None, ...) for a in answers.values()):
        raise CheckFailed("new_answers: not written yet.")
    if set(answers) != set(successors):
        raise CheckFailed(f"new_answers: the keys must be {', '.join(successors)}; got {', '.join(map(str, answers))}.")
    faults = [fault for name in successors for fault in _faults(successors[name], answers[name])]
    if faults:
        raise CheckFailed("\n".join(["new_answers is not right yet.", *faults]))
    print(f"new_answers: right for {len(successors)} detectors")


def _faults(detector, answer) -> list[str]:
    """What is wrong with the answer for one detector, as sentences."""
    if isinstance(answer, str):
        return [f"{detector.name}: a set is wanted, such as {{{answer!r}}}."]
    try:
        given = set(answer)
    except TypeError:
        return [f"{detector.name}: a set of {', '.join(map(repr, QUESTIONS))} is wanted, got {answer!r}."]
    unknown = sorted(map(repr, given - set(QUESTIONS)))
    faults = [f"{detector.name}: {word} is none of {', '.join(QUESTIONS)}." for word in unknown]
    for question in QUESTIONS:
        if question in detector.new - given:
            faults.append(f"{detector.name} lacks {question!r}: {detector.why[question]}.")
        elif question in given - detector.new:
            steps = " and ".join(step.text.replace("\n", " ") for step in detector.steps[question])
            faults.append(f"{detector.name} has {question!r} too many: it takes over {steps} from its predecessor.")
    return faults
