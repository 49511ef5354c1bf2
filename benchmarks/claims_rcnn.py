"""The claims of R-CNN, R1 to R7, from what was measured."""

from claims_board import BOARD, Scores, told
from claims_words import entry, gained, points

from rcnn_lite.evaluation.comparing import CANNOT_TELL, LITTLE, NOT_REPRODUCED, NOT_TESTABLE, REPRODUCED, all_of, better

ABLATIONS = "data/measurements/rcnn_ablations.json"
LAYERS = ("pool5", "fc6", "fc7")
R1 = ("R1", "fine-tuning helps", "fc6: 46.2 -> 53.1, fc7: 44.7 -> 54.2 mAP (VOC 2007)")
R3 = ("R3", "box regression helps", "fc7: 54.2 -> 58.5 mAP")
R7 = ("R7", "a regression-only detector (Szegedy) does worse", "30.5 against 58.5 mAP")
WHY_R1 = "The network has seen ImageNet's centred photographs; fine-tuning shows it warped, partly filled boxes."
WHY_R3 = "Selective search's boxes are loose; a linear map from pool5 tightens them."
WHY_R7 = (
    "One box a class, regressed from the whole picture, cannot say that there are two cups. Ours is smaller than "
    "Szegedy's and does worse than it did, too."
)


def r_cnn(read) -> list[dict]:
    """R1 to R7."""
    measured, board = read(ABLATIONS), Scores(read)
    lines = [*layers(measured["layers"]), threshold(measured["held_out"]), context(measured["crops"]), *others(read)]
    better_known = {line["id"]: line for line in over_seeds(board)}
    return [better_known.get(line["id"], line) for line in lines]


def over_seeds(board: Scores) -> list[dict]:
    """R1, R3 and R7 from the scoreboard, where R-CNN has several seeds."""
    lines, untuned = [], "rcnn_untuned_without_regression"
    if (seeds := board.seeds("rcnn_without_regression", untuned)) > 1:
        gain = [-end for end in reversed(board.rows[untuned]["gain"]["mAP"])]
        plain, tuned = (told([100 * v for v in board.values(name)]) for name in (untuned, "rcnn_without_regression"))
        lines.append(entry(R1, f"fc6: {plain} -> {tuned} mAP, gain {gained(gain)}", seeds, better(gain), WHY_R1, BOARD))
    if (seeds := board.seeds("rcnn", "rcnn_without_regression")) > 1:
        gain = [-end for end in reversed(board.rows["rcnn_without_regression"]["gain"]["mAP"])]
        plain, moved = (told([100 * v for v in board.values(name)]) for name in ("rcnn_without_regression", "rcnn"))
        lines.append(entry(R3, f"fc6: {plain} -> {moved} mAP, gain {gained(gain)}", seeds, better(gain), WHY_R3, BOARD))
    if board.seeds("rcnn", "regression") and (seeds := len(board.rows["rcnn"]["seeds"])) > 1:
        low, high = (told([100 * v for v in board.values(name)]) for name in ("regression", "rcnn"))
        lost = [-end for end in reversed(board.rows["regression"]["gain over rcnn"]["mAP"])]
        here = f"{low} against {high} mAP; nothing of the first is drawn at random"
        lines.append(entry(R7, here, seeds, better(lost), WHY_R7, BOARD))
    return lines


def layers(measured: dict) -> list[dict]:
    """R1 to R3: fine-tuning, the fully connected layers, box regression."""
    table = {(row["network"], row["layer"], row["regression"]): row["mAP"] for row in measured["rows"]}
    plain, tuned = ([table[network, layer, False] for layer in LAYERS] for network in ("imagenet", "tuned"))
    gains = measured["gains"]
    one, three, two = gains["R1 fine-tuning, fc7"], gains["R3 regression, fc7 tuned"], gains["R2 fc7 over pool5, tuned"]
    little = gains["R2 fc7 over pool5, ImageNet"]
    listed = [", ".join(map(points, each)) for each in (plain, tuned)]
    return [
        entry(
            R1,
            f"fc7: {points(plain[2])} -> {points(tuned[2])} mAP, gain {gained(one)}",
            1,
            better(one),
            WHY_R1,
            ABLATIONS,
        ),
        entry(
            (
                "R2",
                "without fine-tuning, fc layers add little over pool5; with it they add much",
                "pool5 44.2, fc6 46.2, fc7 44.7; fine-tuned 47.3, 53.1, 54.2",
            ),
            f"pool5, fc6, fc7: {listed[0]}; fine-tuned {listed[1]}; "
            f"fc7 over pool5: {gained(little)}, fine-tuned {gained(two)}",
            1,
            all_of([REPRODUCED if little[1] <= LITTLE else NOT_REPRODUCED, better(two)]),
            {
                CANNOT_TELL: "The first half holds: before fine-tuning the layers add nothing, and even cost. For the "
                "second half these scenes cannot tell: Lite0's fc layers are a convolution and an average, not the 55 "
                "million weights that AlexNet's are, so little of what fine-tuning learns has to live there.",
                NOT_REPRODUCED: "The first half holds, the second does not: Lite0's fc layers are a convolution and an "
                "average, so what fine-tuning learns goes into the convolutions.",
            },
            ABLATIONS,
        ),
        entry(
            R3,
            f"fc7: {points(tuned[2])} -> {points(table['tuned', 'fc7', True])} mAP, gain {gained(three)}",
            1,
            better(three),
            WHY_R3,
            ABLATIONS,
        ),
    ]


def threshold(measured: dict) -> dict:
    """R4."""
    at = measured["thresholds"]
    costs = [at["0.3"] - at[other] for other in ("0.5", "0.0")]
    gains = measured["gain over the widest"], measured["gain over the narrowest"]
    return entry(
        ("R4", "the SVM's negative threshold matters", "0.3 chosen; 0.5 costs 5 points, 0 costs 4"),
        f"0.5 costs {points(costs[0])} ({gained(gains[0])}), 0 costs {points(costs[1])} ({gained(gains[1])})",
        1,
        all_of([better(gain) for gain in gains]),
        "With 0.5 half-covered objects are shown to the SVM as nothing at all; with 0 it never sees a bad box of an "
        "object. The second costs more here, where objects are small and boxes poor.",
        ABLATIONS,
    )


def context(measured: dict) -> dict:
    """R5."""
    rows, gain = {row["way"]: row["mAP"] for row in measured["rows"]}, measured["gain"]
    with_it, without = (rows[way] for way in ("warp, context", "warp, no context"))
    return entry(
        ("R5", "context padding helps", "p = 16 beats p = 0 by 3-5 points"),
        f"with {points(with_it)}, without {points(without)} mAP, gain {gained(gain)}",
        1,
        better(gain),
        {
            CANNOT_TELL: "The scenes are composed: what surrounds an object says nothing of its class, only that its "
            "outline ends. Context also costs some of the few pixels that a warped region has.",
            NOT_REPRODUCED: "The scenes are composed: what surrounds an object says nothing of its class, and context "
            "costs some of the few pixels that a warped region has.",
        },
        ABLATIONS,
    )


def others(read) -> list[dict]:
    """R6, R7."""
    network = entry(
        ("R6", "the network matters", "T-Net 58.5, O-Net (VGG16) 66.0 mAP with box regression"),
        "one network only: EfficientNet-Lite0",
        0,
        NOT_TESTABLE,
        "VGG16's weights are half a gigabyte and come from the network, and R-CNN would run it 300 times a picture: "
        "hours on two cores. The package offers alexnet, vgg16 and resnet50 to those who have both.",
        "rcnn_lite/models/backbone.py",
    )
    regression, whole = (read(f"data/checkpoints/{name}_scenes.safetensors") for name in ("regression", "rcnn_tuned"))
    low, high = regression["metrics"]["mAP"], whole["metrics"]["mAP"]
    alone = entry(
        R7,
        f"{points(low)} against {points(high)} mAP",
        1,
        REPRODUCED if low < high - LITTLE else NOT_REPRODUCED,
        WHY_R7,
        "data/checkpoints/regression_scenes.safetensors",
    )
    return [network, alone]
