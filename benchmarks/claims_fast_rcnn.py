"""The claims of Fast R-CNN, F1 to F7, from what was measured."""

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
NAMES = {"rcnn": "R-CNN", "sppnet": "SPPnet", "fast_rcnn": "Fast R-CNN"}


def fast_r_cnn(read) -> list[dict]:
    """F1 to F7."""
    measured = read(FAST)
    same, every, variants = measured["testing"]["the same 300"], measured["testing"]["all"], measured["variants"]
    return [*speed(same["rows"], measured["training"]), *accuracy(every["rows"]), *choices(variants)]


def speed(rows: dict, training: dict) -> list[dict]:
    """F1, F2: seconds a picture and seconds of training."""
    seconds = {name: row["total seconds"] for name, row in rows.items()}
    spent = {name: row["processor seconds"] for name, row in training.items()}
    ratios = [seconds["rcnn"] / seconds[name] for name in ("fast_rcnn", "sppnet")]
    learned, shared = spent["rcnn"] / spent["fast_rcnn"], rows["fast_rcnn"]["seconds"]["convolutions"]
    return [
        entry(
            ("F1", "sharing the convolutions is faster to test", "146x (VGG16), 80x (M), 98x (S); SPPnet 20x"),
            f"{times(ratios[0])}; SPPnet {times(ratios[1])} (the same 300 proposals)",
            1,
            REPRODUCED if min(ratios) > 1 else NOT_REPRODUCED,
            "Faster, by less than in the paper: 300 regions instead of 2,000, warped to 96 pixels instead of 227, and "
            f"a network that needs {1000 * shared:.0f} ms for a picture, so what is done for each region weighs more.",
            FAST,
        ),
        entry(
            ("F2", "and faster to train", "8.8x, 14x, 18.3x"),
            f"{times(learned)} ({spent['rcnn']:.0f} against {spent['fast_rcnn']:.0f} processor seconds)",
            1,
            REPRODUCED if learned > 1 else NOT_REPRODUCED,
            "Faster, by less: R-CNN's features are of 300 regions of 400 pictures, fit on a disk and in a few minutes; "
            "Fast R-CNN's batches are as many as they were chosen to be.",
            FAST,
        ),
    ]


def accuracy(rows: dict) -> list[dict]:
    """F3."""
    listed = ", ".join(f"{word} {points(rows[name]['mAP'])}" for name, word in NAMES.items())
    gains = {name: rows[name]["gain over rcnn"] for name in ("sppnet", "fast_rcnn")}
    return [
        entry(
            (
                "F3",
                "one-stage multi-task training is at least as accurate",
                "R-CNN 66.0, SPPnet 63.1, Fast R-CNN 66.9",
            ),
            f"{listed} mAP; over R-CNN: SPPnet {gained(gains['sppnet'])}, Fast R-CNN {gained(gains['fast_rcnn'])}",
            1,
            not_worse(gains["fast_rcnn"]),
            "The order is the paper's: SPPnet, whose convolutions stay as ImageNet made them, is behind; Fast R-CNN is "
            f"within {100 * LITTLE:.0f} points of R-CNN or above it.",
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
            ("F4", "truncated SVD trades little accuracy for speed", "66.9 -> 66.6; 0.32 -> 0.22 s an image"),
            f"{points(whole['mAP'])} -> {points(cut['mAP'])} mAP ({gained(cut['gain'])}); the heads {times(heads)} "
            "as fast",
            1,
            all_of([alike(cut["gain"]), REPRODUCED if heads > 1 else NOT_REPRODUCED]),
            "Half the singular values of fc6 and a quarter of fc7's hold nearly all that the layers do.",
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
            (
                "F7",
                "brute-force single scale is nearly as good as a pyramid, and much faster",
                "small network: 1 scale 57.1 mAP at 0.10 s, 5 scales 58.4 at 0.39 s",
            ),
            f"{max(scales['sides'])} pixels {points(largest['mAP'])}, pyramid {points(scales['pyramid']['mAP'])} mAP "
            f"(the pyramid over it {gained(pyramid)}); one scale is {times(slower)} as fast",
            1,
            all_of(
                [not_worse([-high for high in reversed(pyramid)]), REPRODUCED if slower >= MUCH else NOT_REPRODUCED]
            ),
            {
                NOT_REPRODUCED: "The first half holds, the largest scale alone is as good. The second does not: three "
                "scales of which it is the largest have less than twice its pixels, and the convolutions are a part of "
                "the time only. The paper's five scales go far beyond its one.",
                REPRODUCED: "The largest scale alone is as good as the pyramid of all three.",
            },
            FAST,
        ),
    ]
