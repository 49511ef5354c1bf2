"""The claims of Fast R-CNN, F1 to F7, from what was measured."""

from claims_board import BOARD, Scores, ratios, told
from claims_words import entry, gained, points, times

from rcnn_lite.evaluation.comparing import (
    CANNOT_TELL,
    LITTLE,
    NOT_REPRODUCED,
    REPRODUCED,
    alike,
    all_of,
    better,
    not_worse,
)

FAST = "data/measurements/fast_rcnn.json"
MUCH = 1.5  # times as fast: what "much faster" means at least
F1 = ("F1", "sharing the convolutions is faster to test", "146x (VGG16), 80x (M), 98x (S); SPPnet 20x")
F2 = ("F2", "and faster to train", "8.8x, 14x, 18.3x")
F3 = ("F3", "one-stage multi-task training is at least as accurate", "R-CNN 66.0, SPPnet 63.1, Fast R-CNN 66.9")
F4 = ("F4", "truncated SVD trades little accuracy for speed", "66.9 -> 66.6; 0.32 -> 0.22 s an image")
F7 = (
    "F7",
    "brute-force single scale is nearly as good as a pyramid, and much faster",
    "small network: 1 scale 57.1 mAP at 0.10 s, 5 scales 58.4 at 0.39 s",
)
WHY_F1 = (
    "Faster, by less than in the paper: R-CNN looks at 300 regions, not 2,000, warped to 96 pixels instead of 227, and "
    "its network is so small that what Fast R-CNN does for each region weighs more."
)
WHY_F2 = (
    "Faster, by less: R-CNN's features are of 300 regions of 400 pictures, which fit on a disk and into a few minutes; "
    "Fast R-CNN's batches are as many as they were chosen to be."
)
WHY_F3 = {
    REPRODUCED: "SPPnet, whose convolutions stay as ImageNet made them, is behind as in the paper; Fast R-CNN is "
    f"within {100 * LITTLE:.0f} points of R-CNN or above it.",
    CANNOT_TELL: "SPPnet, whose convolutions stay as ImageNet made them, is behind as in the paper; that Fast R-CNN is "
    f"not {100 * LITTLE:.0f} points behind R-CNN these scenes cannot say for sure.",
}
WHY_F4 = "Half the singular values of fc6 and a quarter of fc7's hold nearly all that the layers do."
WHY_F7 = {
    NOT_REPRODUCED: "The first half holds, the largest scale alone is as good. The second does not: three scales of "
    "which it is the largest have less than twice its pixels, and the convolutions are a part of the time only. The "
    "paper's five scales go far beyond its one.",
    REPRODUCED: "The largest scale alone is as good as the pyramid of all three.",
}
NAMES = {"rcnn": "R-CNN", "sppnet": "SPPnet", "fast_rcnn": "Fast R-CNN"}


def fast_r_cnn(read) -> list[dict]:
    """F1 to F7; from the scoreboard where it has more seeds."""
    measured, board = read(FAST), Scores(read)
    same, every, variants = measured["testing"]["the same 300"], measured["testing"]["all"], measured["variants"]
    lines = [*speed(same["rows"], measured["training"]), *accuracy(every["rows"]), *choices(variants)]
    board_says = (*over_seeds(board, same["rows"]), *truncation(board), *pyramids(board))
    better_known = {line["id"]: line for line in board_says}
    return [better_known.get(line["id"], line) for line in lines]


def over_seeds(board: Scores, same: dict) -> list[dict]:
    """F1 to F3 from the scoreboard, where R-CNN has several seeds; F1 also with the `same` proposals for all."""
    lines, seeds = [], board.seeds("rcnn", "sppnet", "fast_rcnn")
    if seeds > 1:
        slow, fast, spp = (board.seconds(name, "proposals") for name in ("rcnn", "fast_rcnn", "sppnet"))
        quick, other = ratios(slow, fast), ratios(slow, spp)
        one, two = (same["rcnn"]["total seconds"] / same[name]["total seconds"] for name in ("fast_rcnn", "sppnet"))
        here = f"{told(quick)} times; SPPnet {told(other)} times (as they ship, proposals not counted); "
        here += f"with the same 300 proposals {one:.0f} and {two:.1f} times (one training)"
        sure = REPRODUCED if min(quick + other) > 1 else NOT_REPRODUCED
        lines.append(entry(F1, here, seeds, sure, WHY_F1, BOARD))
        gains = {name: board.rows[name]["gain over rcnn"] for name in ("sppnet", "fast_rcnn")}
        listed = ", ".join(f"{word} {told([100 * v for v in board.values(name)])}" for name, word in NAMES.items())
        here = ", ".join(f"{NAMES[name]} {gained(gain['mAP'])}" for name, gain in gains.items())
        verdict = not_worse(gains["fast_rcnn"]["mAP"])
        lines.append(entry(F3, f"{listed} mAP; over R-CNN: {here}", seeds, verdict, WHY_F3, BOARD))
    if len(costs := board.training("rcnn", "fast_rcnn")) > 1:
        learned = [slow / fast for slow, fast in costs]
        sure = REPRODUCED if min(learned) > 1 else NOT_REPRODUCED
        lines.append(entry(F2, f"{told(learned)} times (processor seconds)", len(costs), sure, WHY_F2, BOARD))
    return lines


def truncation(board: Scores) -> list[dict]:
    """F4 from the scoreboard."""
    if (seeds := board.seeds("fast_rcnn", "fast_rcnn_truncated")) < 2:
        return []
    gain = board.rows["fast_rcnn_truncated"]["gain"]["mAP"]
    heads = ratios(board.stages("fast_rcnn", "heads"), board.stages("fast_rcnn_truncated", "heads"))
    whole, cut = (told([100 * v for v in board.values(name)]) for name in ("fast_rcnn", "fast_rcnn_truncated"))
    verdict = all_of([alike(gain), REPRODUCED if min(heads) > 1 else NOT_REPRODUCED])
    here = f"{whole} -> {cut} mAP ({gained(gain)}); the heads {told(heads)} times as fast"
    return [entry(F4, here, seeds, verdict, WHY_F4, BOARD)]


def pyramids(board: Scores) -> list[dict]:
    """F7 from the scoreboard."""
    if (seeds := board.seeds("fast_rcnn", "fast_rcnn_pyramid")) < 2:
        return []
    gain = board.rows["fast_rcnn_pyramid"]["gain"]["mAP"]
    slower = ratios(*(board.seconds(name, "proposals") for name in ("fast_rcnn_pyramid", "fast_rcnn")))
    whole, all_scales = (told([100 * v for v in board.values(name)]) for name in ("fast_rcnn", "fast_rcnn_pyramid"))
    quick = REPRODUCED if min(slower) >= MUCH else NOT_REPRODUCED
    verdict = all_of([not_worse([-end for end in reversed(gain)]), quick])
    here = f"one scale {whole}, pyramid {all_scales} mAP (the pyramid over it {gained(gain)}); one scale is "
    return [entry(F7, f"{here}{told(slower)} times as fast", seeds, verdict, WHY_F7, BOARD)]


def speed(rows: dict, training: dict) -> list[dict]:
    """F1, F2: seconds a picture and seconds of training."""
    seconds = {name: row["total seconds"] for name, row in rows.items()}
    spent = {name: row["processor seconds"] for name, row in training.items()}
    ratios = [seconds["rcnn"] / seconds[name] for name in ("fast_rcnn", "sppnet")]
    learned = spent["rcnn"] / spent["fast_rcnn"]
    return [
        entry(
            F1,
            f"{times(ratios[0])}; SPPnet {times(ratios[1])} (the same 300 proposals)",
            1,
            REPRODUCED if min(ratios) > 1 else NOT_REPRODUCED,
            WHY_F1,
            FAST,
        ),
        entry(
            F2,
            f"{times(learned)} ({spent['rcnn']:.0f} against {spent['fast_rcnn']:.0f} processor seconds)",
            1,
            REPRODUCED if learned > 1 else NOT_REPRODUCED,
            WHY_F2,
            FAST,
        ),
    ]


def accuracy(rows: dict) -> list[dict]:
    """F3."""
    listed = ", ".join(f"{word} {points(rows[name]['mAP'])}" for name, word in NAMES.items())
    gains = {name: rows[name]["gain over rcnn"] for name in ("sppnet", "fast_rcnn")}
    return [
        entry(
            F3,
            f"{listed} mAP; over R-CNN: SPPnet {gained(gains['sppnet'])}, Fast R-CNN {gained(gains['fast_rcnn'])}",
            1,
            not_worse(gains["fast_rcnn"]),
            WHY_F3,
            FAST,
        )
    ]


def choices(measured: dict) -> list[dict]:
    """F4 to F7: one thing changed at a time."""
    whole, base = measured["F4 truncated"][0], measured["as it is"]["mAP"]
    cut = next(row for row in measured["F4 truncated"] if row["ranks"] == [256, 128])
    frozen, svms, scales = measured["F5 convolutions frozen"], measured["F6 SVMs"], measured["F7"]
    largest = scales["single"][str(max(scales["sides"]))]
    lost, softmax = [-value for value in reversed(frozen["gain"])], [-value for value in reversed(svms["gain"])]
    pyramid, slower = largest["gain of the pyramid"], scales["pyramid"]["total seconds"] / largest["total seconds"]
    heads = whole["seconds"]["heads"] / cut["seconds"]["heads"]
    return [
        entry(
            F4,
            f"{points(whole['mAP'])} -> {points(cut['mAP'])} mAP ({gained(cut['gain'])}); the heads {times(heads)} "
            "as fast",
            1,
            all_of([alike(cut["gain"]), REPRODUCED if heads > 1 else NOT_REPRODUCED]),
            WHY_F4,
            FAST,
        ),
        entry(
            ("F5", "freezing the convolutions, as SPPnet must, costs accuracy", "VGG16: 66.9 -> 61.4"),
            f"{points(base)} -> {points(frozen['mAP'])} mAP, cost {gained(lost)}",
            1,
            better(lost),
            "What ImageNet made of the convolutions is not made for boxes; the layers above cannot mend it.",
            FAST,
        ),
        entry(
            ("F6", "softmax slightly beats SVMs here", "+0.1 to +0.8 mAP"),
            f"softmax {points(base)}, SVMs {points(svms['mAP'])} mAP, gain {gained(softmax)}",
            1,
            better(softmax),
            {
                CANNOT_TELL: "A gain of half a point is far below what these 100 scenes can resolve; the mean has the "
                "paper's sign.",
                REPRODUCED: "The softmax makes classes compete, and it was trained together with the features.",
            },
            FAST,
        ),
        entry(
            F7,
            f"{max(scales['sides'])} pixels {points(largest['mAP'])}, pyramid {points(scales['pyramid']['mAP'])} mAP "
            f"(the pyramid over it {gained(pyramid)}); one scale is {times(slower)} as fast",
            1,
            all_of(
                [not_worse([-high for high in reversed(pyramid)]), REPRODUCED if slower >= MUCH else NOT_REPRODUCED]
            ),
            WHY_F7,
            FAST,
        ),
    ]
