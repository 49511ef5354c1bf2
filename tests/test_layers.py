"""The shape of the package: what may import what, how large a piece may be. The rules are tested on made-up sources."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1] / "rcnn_lite"

# A module may import its own layer and those above it in this list. The longest matching name counts.
LAYERS = (
    {"paths", "cache", "images", "boxes", "kernels", "distributed", "workers"},
    {"nms", "matching", "losses", "regions", "proposals", "checkpoints"},
    {"proposals.selective_search", "proposals.rpn", "proposals.pyramid_rpn", "heads"},
    {"models"},
)
SIDES = {"training", "evaluation", "plotting", "datasets"}  # import layers and each other, never models
# Import anything, are imported by no other part:
TOP = {"checks", "cli", "course", "family", "pages", "teaching", "widgets"}
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}

ONLY_IN = {  # third-party name: the modules that may import it
    "matplotlib": ("plotting",),
    "sklearn": ("heads.svm",),
    "skimage.feature": ("regions.hog",),
    "torchvision.ops": (),
    "torchvision.models.detection": (),
    "nbformat": ("course", "pages", "teaching"),
    "nbclient": ("course",),
    "nbconvert": ("pages", "teaching"),
    "jupyter_client": ("course",),
    "nbgrader": ("teaching",),
    "latex2mathml": ("teaching",),
    "sphinx_revealjs": ("teaching",),
    "IPython": ("checks", "plotting", "widgets"),
}
HEAVY = ("torch", "numpy", "numba", "matplotlib", "sklearn", "skimage", "cv2", "torchvision")
MAX_LINES, MAX_BODY, MAX_ARGUMENTS = 250, 45, 8


def place(module: str) -> str:
    """The entry of the tables above that a module (without ``rcnn_lite.``) belongs to, else ``ValueError``."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        name = ".".join(parts[:length])
        if name in RANK or name in SIDES or name in TOP:
            return name
    raise ValueError(f"rcnn_lite.{module} has no place yet: put it into a layer of tests/test_layers.py")


def may_import(importer: str, imported: str) -> bool:
    """Whether one module of the package may import another (names without ``rcnn_lite.``)."""
    here, there = place(importer), place(imported)
    if here in TOP:
        return there != "cli" or here == "cli"
    if there in TOP:
        return False
    if here in SIDES:
        return there != "models"
    if there == "training":  # the loop, which knows nothing of models
        return here == "models"
    if (importer, imported) == ("models.joint_recipes", "datasets.transforms"):  # recipes choose what is learned from
        return True
    return there in RANK and RANK[there] <= RANK[here]


def imports(source: str) -> list[str]:
    """Full dotted names of all that a source imports or reaches as ``torchvision.something``."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import; write the full name"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Attribute) and ast.unparse(node).startswith("torchvision."):
            found.append(ast.unparse(node))
    return found


def violations(module: str, source: str, modules: set[str]) -> list[str]:
    """What is wrong with the imports of one module, given the names of all modules."""
    found = []
    for name in imports(source):
        if name.startswith("rcnn_lite."):
            imported = own_module(name, modules)
            if imported and not may_import(module, imported):
                found.append(f"{module} must not import {imported}")
        found += [
            f"{module} must not import {banned}"
            for banned, allowed in ONLY_IN.items()
            if f"{name}.".startswith(f"{banned}.") and place(module) not in allowed and module not in allowed
        ]
    return found


def own_module(name: str, modules: set[str]) -> str:
    """The module that ``rcnn_lite.a.b.c`` comes from: ``a.b.c``, or ``a.b`` where ``c`` is something in it."""
    name = name.removeprefix("rcnn_lite.")
    return name if name in modules else name.rpartition(".")[0]


def functions(source: str) -> list[tuple[str, int, int]]:
    """(name, lines of body without docstring, arguments without self) of each function and method."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            names = [a.arg for a in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]]
            found.append((node.name, lines, len(set(names) - {"self", "cls"})))
    return found


def undescribed(source: str) -> list[str]:
    """The module itself, its public classes and its public functions, as far as they have no docstring."""
    tree = ast.parse(source)
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    public = [node for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")]
    module = [] if not tree.body or ast.get_docstring(tree) else ["the module"]
    return module + [node.name for node in public if not ast.get_docstring(node)]


def sources() -> dict[str, str]:
    """``{module: source}`` of the package, without the package's own ``__init__``."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix("__init__").rstrip(".")
        if module:
            found[module] = path.read_text(encoding="utf-8")
    return found


SOURCES = sources()


@pytest.mark.parametrize("module", SOURCES)
def test_imports_point_downwards(module):
    assert violations(module, SOURCES[module], set(SOURCES)) == []


def test_no_module_imports_itself_through_others():
    graph = {
        module: {own_module(name, set(SOURCES)) for name in imports(source) if name.startswith("rcnn_lite.")} - {module}
        for module, source in SOURCES.items()
    }
    tuple(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("module", SOURCES)
def test_pieces_stay_small_and_described(module):
    source = SOURCES[module]
    assert [(name, lines) for name, lines, _ in functions(source) if lines > MAX_BODY] == []
    assert [(name, count) for name, _, count in functions(source) if count > MAX_ARGUMENTS] == []
    if place(module) != "checks":  # one module a notebook, full of wrong answers that only their own check reads
        assert source.count("\n") <= MAX_LINES
        assert undescribed(source) == []


def test_importing_the_package_imports_nothing_heavy():
    code = f"import rcnn_lite, sys; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT.parent, check=True)
    assert done.stdout.strip() == "[]"


# The rules themselves.


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("nms", "boxes", True),
        ("boxes", "nms", False),
        ("proposals.grouping", "proposals.segmentation", True),
        ("proposals.selective_search", "proposals.grouping", True),
        ("proposals.grouping", "proposals.selective_search", False),
        ("heads.svm", "proposals.anchors", True),
        ("regions.warp", "heads.svm", False),
        ("models.rcnn", "heads.svm", True),
        ("models.rcnn", "models.backbone", True),
        ("heads.svm", "models.backbone", False),
        ("models.rcnn", "evaluation.voc", False),
        ("models.rcnn", "training", True),
        ("heads.svm", "training", False),
        ("training", "models.rcnn", False),
        ("evaluation.voc", "models", False),
        ("plotting", "models.rcnn", False),
        ("datasets.scenes", "boxes", True),
        ("training", "evaluation", True),
        ("evaluation.coco", "cli", False),
        ("cli", "models.rcnn", True),
        ("course", "cli", False),
    ],
)
def test_which_imports_are_allowed(importer, imported, allowed):
    assert may_import(importer, imported) is allowed


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("boxes", "from rcnn_lite.nms import nms"),
        ("boxes", "import rcnn_lite.nms"),
        ("boxes", "from rcnn_lite import nms"),
        ("boxes", "def late():\n    from rcnn_lite.nms import nms"),
        ("evaluation.voc", "from rcnn_lite.models.rcnn import RCNN"),
        ("datasets.scenes", "import matplotlib.pyplot as plt"),
        ("heads.ridge", "from sklearn.linear_model import Ridge"),
        ("datasets.photographs", "import sklearn"),
        ("models.hog_detector", "from skimage.feature import hog"),
        ("nms", "from torchvision.ops import nms"),
        ("nms", "from torchvision import ops"),
        ("nms", "import torchvision\nkeep = torchvision.ops.nms(1, 2, 3)"),
        ("models.rcnn", "from torchvision.models import detection"),
        ("models.rcnn", "import torchvision.models.detection as d"),
    ],
)
def test_a_violation_is_found(module, source):
    assert len(violations(module, source, {"nms", "boxes", "models.rcnn"})) >= 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("nms", "from rcnn_lite.boxes import box_iou"),
        ("plotting", "import matplotlib.pyplot as plt"),
        ("heads.svm", "from sklearn.svm import LinearSVC"),
        ("models.backbone", "from torchvision.models import alexnet\nimport torchvision\ntorchvision.models.vgg16()"),
        ("models.backbone", "from torchvision.opsish import x"),
    ],
)
def test_an_honest_module_passes(module, source):
    assert violations(module, source, {"nms", "boxes"}) == []


def test_a_new_module_needs_a_place():
    with pytest.raises(ValueError, match=r"rcnn_lite\.novelty\.thing has no place yet"):
        place("novelty.thing")
    assert place("proposals.selective_search") == "proposals.selective_search"
    assert place("proposals.segmentation") == "proposals"


def test_relative_imports_are_refused():
    with pytest.raises(AssertionError, match="line 2: relative import"):
        imports("import os\nfrom .boxes import box_iou")


def test_sizes_are_counted_without_the_docstring():
    source = """
class A:
    def f(self, a, *, b=1):
        'Two'
        x = (
            1
        )
"""
    assert functions(source) == [("f", 3, 2)]
    assert functions("def g():\n    pass\n") == [("g", 1, 0)]


def test_missing_docstrings_are_found():
    source = """
'M.'
class A:
    'D.'
    def f(self): ...
class B: ...
def h():
    def inner(): ...
def _private(): ...
"""
    assert undescribed(source) == ["B", "h"]
    assert undescribed("x = 1") == ["the module"]
    assert undescribed("") == []


def test_a_circle_would_be_found():
    with pytest.raises(CycleError):
        tuple(TopologicalSorter({"a": {"b"}, "b": {"a"}}).static_order())
