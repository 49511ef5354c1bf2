"""The claims of Mask R-CNN, M1 to M6, from what was measured."""

from claims_board import BOARD, Scores, told
from claims_words import entry, gained, mean_of

from rcnn_lite.evaluation.comparing import CANNOT_TELL, NOT_REPRODUCED, REPRODUCED, all_of, better

MASK = "data/measurements/mask_rcnn.json"
SHARED = {"mask_rcnn": "C4", "mask_rcnn_fpn": "FPN"}
ABOUT_A_FIFTH = 0.25  # what masks may add to be "about 20 %", at most


def mask_r_cnn(read) -> list[dict]:
    """M1 to M6."""
    measured, board = read(MASK), Scores(read)
    return [
        alignment(measured["M1"]),
        two_rows(M2, measured["M2"], "softmax", "mask AP", better, loses=True),
        one_map_or_more(measured["M3"], board),
        two_rows(M4, measured["M4"], "Mask R-CNN", "box AP", better),
        two_rows(M5, measured["M5"], "mlp", "mask AP", better, loses=True),
        cheap_masks(measured["M6"], board),
    ]


def alignment(measured: dict) -> dict:
    """M1."""
    rows = measured["rows"]
    order = [f"{where} max" for where in ("pool", "warp", "align")]
    listed = ", ".join(f"{name.split()[0]} {mean_of(rows[name], 'mask AP')}" for name in order)
    lost = {name: [-end for end in reversed(rows[name]["gain"]["mask AP"])] for name in rows if "gain" in rows[name]}
    behind = ("pool max", "pool average", "warp max", "warp average")
    return entry(
        (
            "M1",
            "alignment is what matters: RoIPool < RoIWarp < RoIAlign",
            "max pooling: mask AP 26.9, 27.2, 30.2 (average RoIAlign 30.3)",
        ),
        f"max: {listed} mask AP; align average {mean_of(rows['align average'], 'mask AP')}",
        min(len(row["runs"]) for row in rows.values()),
        all_of([better(lost[name]) for name in behind]),
        "Rounding to cells of 16 pixels is what costs, and warping rounds, too: both are far behind aligned pooling, "
        "and near each other, as in the paper. The gap is wider because objects are smaller.",
        MASK,
    )


M2 = (
    ("M2", "independent sigmoids beat a softmax across classes", "30.3 vs 24.8 mask AP"),
    "With a softmax over classes a cell must also say which class it is; the box branch knows that better.",
)
M3 = (
    ("M3", "FPN beats C4", "33.6 vs 30.3 mask AP"),
    {
        NOT_REPRODUCED: "Small objects gain and all others lose: notebook 15 shows it by the size of the object. The "
        "pyramid has more layers that start from nothing, and the trainings are short; the models which ship, trained "
        "longer, cannot be told apart.",
        CANNOT_TELL: "The pyramid gains on small objects and loses on large ones, of which the scenes have few.",
        REPRODUCED: "Fine maps for small objects, coarse ones for large.",
    },
)
M4 = (
    ("M4", "the mask branch also helps the boxes (multi-task)", "37.3 -> 38.2 box AP"),
    {
        CANNOT_TELL: "A gain of a point is below what these scenes and short trainings can resolve.",
        NOT_REPRODUCED: "In short trainings the mask's loss takes from the boxes what it gives.",
        REPRODUCED: "Where an object ends is said to the features once more, by its outline.",
    },
)
M5 = (
    ("M5", "an FCN mask head beats an MLP", "31.5 -> 33.6 mask AP (table 2e)"),
    "The convolutions keep each cell's place; fully connected layers must learn it.",
)


def two_rows(words: tuple, measured: dict, row: str, number: str, rule, loses: bool = False) -> dict:
    """M2 to M5: one row against the base, which is claimed to gain, or to lose."""
    rows, base = measured["rows"], measured["base"]
    gain = rows[row]["gain"][number]
    gain = [-end for end in reversed(gain)] if loses else gain
    here = ", ".join(f"{name} {mean_of(rows[name], number)}" for name in (base, row))
    claim, why = words
    seeds = min(len(rows[name]["runs"]) for name in (base, row))
    return entry(claim, f"{here} {number}, gain {gained(gain)}", seeds, rule(gain), why, MASK)


def one_map_or_more(measured: dict, board: Scores) -> dict:
    """M3, from short trainings; what whole ones reach is said where the scoreboard has several of both."""
    line = two_rows(M3, measured, "FPN", "mask AP", better)
    if board.seeds(*SHARED) > 1:
        scores = (f"{word} {told([100 * v for v in board.values(name, 'mask AP')])}" for name, word in SHARED.items())
        line["here"] += f"; whole trainings {', '.join(scores)}"
    return line


def cheap_masks(measured: dict, board: Scores) -> dict:
    """M6; from the scoreboard where it has several seeds of both."""
    shares = {name: [row["share"]] for name, row in measured["rows"].items()}
    seeds, source = 1, MASK
    if board.seeds(*SHARED) > 1:
        seeds, source = board.seeds(*SHARED), BOARD
        shares = {word: added(board, name) for name, word in SHARED.items()}
    listed = ", ".join(f"{name} {told([100 * share for share in each], 0)} %" for name, each in shares.items())
    more = f"; a batch of training takes {100 * measured['training']['share']:.0f} % more"
    most = max(max(each) for each in shares.values())
    return entry(
        ("M6", "masks cost little time", "about 20 % on Faster R-CNN"),
        f"{listed} more processor time a picture{more}",
        seeds,
        REPRODUCED if most <= ABOUT_A_FIFTH else NOT_REPRODUCED,
        f"Masks are made for the final detections only, {max(measured['detections a picture'].values()):.0f} a picture "
        "at most on average. In training they are made for every positive region, and that costs more.",
        source,
    )


def added(board: Scores, name: str) -> list[float]:
    """By which share masks make a picture take longer, training by training."""
    masks, rest = board.stages(name, "masks", "pasting"), board.seconds(name, "masks", "pasting")
    return [more / whole for more, whole in zip(masks, rest, strict=True)]
