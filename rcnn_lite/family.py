"""The R-CNN family as a table: six detectors, three questions (notebook 00).

Every detector of the family answers the same three questions: where do regions come from, how does a region become a
fixed-size array, what is predicted from it. A paper is one line here: its answers, which of them were new, and what it
computes once a picture for all regions. `draw_family` draws the table, and the exercise of notebook 00 is checked
against it.
"""

from dataclasses import dataclass

from rcnn_lite.plotting import draw_arrow, draw_card

QUESTIONS = {
    "where": "where do regions come from?",
    "array": "how does a region become a fixed-size array?",
    "predict": "what is predicted from it?",
}
COLORS = {"where": "#6a4fa3", "array": "#0b7a75", "predict": "#96520f"}
SHARED = "#3d4852"


@dataclass(frozen=True)
class Step:
    """One thing that a detector does.

    `new` in its paper; done for `each` region or once a picture; `early`: it starts at the pooled map, not behind the
    fully connected layers.
    """

    text: str
    new: bool = False
    each: bool = False
    early: bool = False


@dataclass(frozen=True)
class Detector:
    """A detector: its steps by question, and the computation that all regions of a picture share.

    `shared_by` names the questions that use the shared map; `why` says what the new answers changed.
    """

    name: str
    paper: str
    steps: dict[str, tuple[Step, ...]]
    shared: Step | None = None
    shared_by: tuple[str, ...] = ()
    why: dict[str, str] | None = None

    @property
    def new(self) -> set[str]:
        """The questions that this paper answered anew."""
        found = {question for question, steps in self.steps.items() if any(step.new for step in steps)}
        return found | (set(self.shared_by) if self.shared and self.shared.new else set())


_SEARCH, _RPN = Step("selective search"), Step("region proposal\nnetwork")
_LAYERS = Step("fully connected\nlayers", each=True)
_SVM, _REGRESSION = Step("SVM of\neach class", each=True), Step("box\nregression", each=True)
_SOFTMAX, _MAP = Step("softmax", each=True), Step("the CNN, once a picture")

FAMILY = (
    Detector(
        "sliding window",
        "HOG + SVM, 2005",
        {
            "where": (Step("a grid of windows\nat every scale"),),
            "array": (Step("its cells of the map,\nlaid end to end", each=True),),
            "predict": (_SVM,),
        },
        shared=Step("histograms of gradients, once a scale"),
        shared_by=("array",),
    ),
    Detector(
        "R-CNN",
        "arXiv 1311.2524",
        {
            "where": (Step("selective search", new=True),),
            "array": (Step("warp to\n227 x 227", new=True, each=True), Step("the whole\nCNN", new=True, each=True)),
            "predict": (_SVM, Step("box\nregression", new=True, each=True)),
        },
        why={
            "where": "about 2,000 regions by selective search replace a grid of windows",
            "array": "each region is warped and goes through a CNN; before, gradients were counted",
            "predict": "a ridge regression on the CNN's features corrects the box",
        },
    ),
    Detector(
        "SPPnet",
        "arXiv 1406.4729",
        {
            "where": (_SEARCH,),
            "array": (Step("spatial pyramid\npooling", new=True, each=True), _LAYERS),
            "predict": (_SVM, _REGRESSION),
        },
        shared=Step("the CNN, once a picture", new=True),
        shared_by=("array",),
        why={"array": "the CNN runs once a picture, and each region pools its part of the map"},
    ),
    Detector(
        "Fast R-CNN",
        "arXiv 1504.08083",
        {
            "where": (_SEARCH,),
            "array": (Step("RoI pooling,\ntrainable", new=True, each=True), _LAYERS),
            "predict": (Step("softmax", new=True, each=True), Step("box regression,\nsame loss", new=True, each=True)),
        },
        shared=_MAP,
        shared_by=("array",),
        why={
            "array": "one level of pooling, and the gradient goes through it into the CNN",
            "predict": "softmax and box regression are layers of the network and share one loss",
        },
    ),
    Detector(
        "Faster R-CNN",
        "arXiv 1506.01497",
        {
            "where": (Step("region proposal\nnetwork", new=True),),
            "array": (Step("RoI pooling", each=True), _LAYERS),
            "predict": (_SOFTMAX, _REGRESSION),
        },
        shared=Step("the CNN, once a picture: proposals and regions share it"),
        shared_by=("where", "array"),
        why={"where": "a small network proposes regions from the map that exists anyway"},
    ),
    Detector(
        "Mask R-CNN",
        "arXiv 1703.06870",
        {
            "where": (_RPN,),
            "array": (Step("RoIAlign", new=True, each=True), _LAYERS),
            "predict": (_SOFTMAX, _REGRESSION, Step("mask\n(small FCN)", new=True, each=True, early=True)),
        },
        shared=Step("the CNN, once a picture: proposals and regions share it"),
        shared_by=("where", "array"),
        why={
            "array": "RoIAlign rounds nothing, so pixels of a region keep their places",
            "predict": "a third branch predicts a mask for each class",
        },
    ),
)


@dataclass(frozen=True)
class Reported:
    """What papers report: mAP on the VOC 2007 test set in per cent, with VGG16 (but for DPM) trained on VOC 2007 only;
    seconds a picture of the network without its proposals (Nvidia K40); and where that stands.
    """

    name: str
    date: str  # of the first version that the public could read
    mAP: float
    seconds: float | None
    source: str


REPORTED = (
    Reported("DPM v5", "2012", 33.7, None, "R-CNN, table 2"),
    Reported("R-CNN", "2013-11", 66.0, 47.0, "R-CNN, table 3; Fast R-CNN, table 4"),
    Reported("SPPnet", "2014-06", 63.1, 2.3, "Fast R-CNN, table 4 (five scales)"),
    Reported("Fast R-CNN", "2015-04", 66.9, 0.32, "Fast R-CNN, table 4"),
    Reported("Faster R-CNN", "2015-06", 69.9, 0.188, "Faster R-CNN, tables 3 and 5 (conv + region-wise)"),
)
PROPOSAL_SECONDS = {"selective search": 1.51, "RPN": 0.01}
"""Seconds a picture for proposals: Faster R-CNN, table 5 (selective search on a CPU)."""

COLUMNS = {"where": (1.7, 2.3), "array": (4.3, 4.2), "predict": (8.8, 4.0)}  # left edge and width
GAPS = {"where": 0.0, "array": 0.35, "predict": 0.15}  # room between two cards
ROW, BAR, CARD = 1.5, 0.36, 0.58  # heights of a row, a bar, a card
BAR_AT, CARD_AT, MIDDLE, BYPASS = 1.03, 0.24, 0.46, 0.07  # their heights above the row's lower line


def draw_family(ax, family: tuple[Detector, ...] = FAMILY):
    """Draw the table on a matplotlib ``ax``, which is returned: a row a detector, a column a question, and a legend."""
    bottom = -ROW * len(family)
    ax.set(xlim=(0, sum(COLUMNS["predict"]) + 0.15), ylim=(bottom - 0.62, 0.5), aspect="equal")
    ax.set_axis_off()
    for question, (x, _) in COLUMNS.items():
        ax.text(x, 0.2, QUESTIONS[question], color=COLORS[question], fontsize=10, fontweight="bold", va="center")
    for row, detector in enumerate(family):
        _draw_row(ax, -ROW * (row + 1), detector)
    ax.axhline(bottom, color="#d0d0d0", linewidth=0.8)
    legend = (("new in this paper", True, False), ("taken over", False, False), ("done for each region", False, True))
    for number, (text, solid, stack) in enumerate(legend):
        draw_card(ax, (1.7 + 2.9 * number, bottom - 0.5), (2.3, 0.32), text, SHARED, solid, stack)
    ax.text(10.3, bottom - 0.34, "wide bar: once a picture,\nshared by all below it", fontsize=9, va="center")
    return ax


def _draw_row(ax, y: float, detector: Detector) -> None:
    """One detector above the line at height ``y``."""
    ax.axhline(y + ROW, color="#d0d0d0", linewidth=0.8)
    ax.text(0.0, y + 0.85, detector.name, fontsize=10, fontweight="bold", va="center")
    ax.text(0.0, y + 0.6, detector.paper, fontsize=9, va="center")
    low = y + (CARD_AT if detector.shared else MIDDLE)
    if detector.shared:
        x, width = COLUMNS[detector.shared_by[0]]
        width = sum(COLUMNS[detector.shared_by[-1]]) - x
        draw_card(ax, (x, y + BAR_AT), (width, BAR), detector.shared.text, SHARED, detector.shared.new)
    end = None
    for question in QUESTIONS:
        for number, (left, width, step) in enumerate(_places(detector, question)):
            if end is not None and not (question == "predict" and number):
                draw_arrow(ax, (end, low + CARD / 2), (left, low + CARD / 2))
            if question in detector.shared_by and number == 0:
                draw_arrow(ax, (left + width / 2, y + BAR_AT), (left + width / 2, low + CARD))
            if step.early:
                start, end = _places(detector, "array")[0], left + width / 2
                path = ((start[0] + start[1] / 2, low), (start[0] + start[1] / 2, y + BYPASS), (end, y + BYPASS))
                ax.plot(*zip(*path, strict=True), color="#333333", linewidth=1.2, zorder=0.5)
                draw_arrow(ax, (end, y + BYPASS), (end, low - 0.08))
            draw_card(ax, (left, low), (width, CARD), step.text, COLORS[question], step.new, step.each)
            end = left + width


def _places(detector: Detector, question: str) -> list[tuple[float, float, Step]]:
    """Left edge, width and step of each card of a question."""
    (x, whole), gap, steps = COLUMNS[question], GAPS[question], detector.steps[question]
    width = (whole - gap * (len(steps) - 1)) / len(steps)
    return [(x + number * (width + gap), width, step) for number, step in enumerate(steps)]
