"""The arithmetic of benchmarks/harness.py, with a clock that we turn by hand."""

import importlib.util
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "benchmarks" / "harness.py"


@pytest.fixture(scope="module")
def harness():
    spec = importlib.util.spec_from_file_location("harness_under_test", SOURCE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


class Clock:
    """Time passes only when a function that was made by ``takes`` is called."""

    def __init__(self):
        self.now = 0.0
        self.calls = []

    def takes(self, name, *seconds):
        remaining = list(seconds)

        def function():
            self.calls.append(name)
            self.now += remaining.pop(0)

        return function

    def __call__(self):
        return self.now


def test_ratio_is_median_of_pairs(harness):
    # pairs' ratios 0.5, 4.0, 1.0: median 1.0, while the medians' ratio would be 0.004 / 0.002 = 2
    result = harness.summarise("case", [0.001, 0.008, 0.004], [0.002, 0.002, 0.004])
    assert result.ratio_median == pytest.approx(1.0)
    assert (result.ratio_min, result.ratio_max) == (pytest.approx(0.5), pytest.approx(4.0))
    assert (result.ours_ms, result.peer_ms) == (pytest.approx(4.0), pytest.approx(2.0))
    assert result.repeats == 3


def test_compare_takes_turns_and_discards_the_warm_up(harness):
    clock = Clock()
    ours = clock.takes("A", 100.0, 1.0, 3.0)
    peer = clock.takes("B", 50.0, 2.0, 2.0)
    result = harness.compare("case", ours, peer, repeats=2, warmup=1, clock=clock)
    assert "".join(clock.calls) == "ABABAB"
    assert (result.ratio_min, result.ratio_max) == (0.5, 1.5)
    assert result.ours_ms == 2000.0


@pytest.mark.parametrize(("ours", "peer"), [([], []), ([1.0], [1.0, 2.0])])
def test_unpaired_timings_are_refused(harness, ours, peer):
    with pytest.raises(ValueError, match=f"got {len(ours)} and {len(peer)}"):
        harness.summarise("case", ours, peer)


def test_table_holds_ratio_machine_versions_and_date(harness, tmp_path, capsys):
    row = harness.summarise("1,000 boxes", [0.001], [0.004])
    path = harness.write_table(tmp_path / "deep" / "table", "ours against theirs", [row], note="What was compared.")
    text = path.read_text(encoding="utf-8")
    assert path == tmp_path / "deep" / "table.md"
    assert "| 1,000 boxes | 1.000 | 4.000 | **0.25** | 0.25 .. 0.25 | 1 |" in text
    assert "What was compared." in text
    assert all(word in text for word in ("machine:", "threads:", "versions: Python", "torch", "date: 20"))
    assert text.strip() == capsys.readouterr().out.strip()
    assert [p.name for p in path.parent.iterdir()] == ["table.md"]


def test_versions_name_each_installed_package_once(harness):
    assert harness.versions(["numpy", "numpy"]).count("numpy") == 1
    assert harness.versions(["no-such-package-at-all"]).startswith("Python ")
    assert "no-such" not in harness.versions(["no-such-package-at-all"])
