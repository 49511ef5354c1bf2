"""Mining under a memory cap: the features together are several times what the process may allocate.

One process does three things, since starting it is what takes long. Under the cap it trains from features in a file,
image by image; under the same cap it tries to hold all features first, which must fail; and without the cap it holds
them, which must give the same SVMs.
"""

import json
import os
import subprocess
import sys

import pytest

SCRIPT = """
import json
import re
import resource
import sys
from pathlib import Path

import numpy as np
import torch

from rcnn_lite.heads.svm import SVMSettings, fit_svms, train_svms
from rcnn_lite.models.feature_store import FeatureStore

IMAGES, PROPOSALS, SIZE, CLASSES, MB = 150, 600, 1024, 3, 2**20
CAP = 80 * MB  # on top of what Python and the libraries hold already
SETTINGS = SVMSettings(max_new=300, first_per_image=2)


def fill(folder):
    # Objects of class 1 and 2 lie around +1 and -1 in all features, proposals around 0.
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((PROPOSALS + 2, SIZE), dtype=np.float32)
    noise[0] += 1
    noise[1] -= 1
    box = torch.tensor([[0.0, 0.0, 10.0, 10.0]])
    region = {"objects": torch.cat((box, box + 50)), "labels": torch.tensor([1, 2])}
    region["proposals"] = 200 + box.repeat(PROPOSALS, 1)
    store = FeatureStore(folder, [region] * IMAGES, (1, SIZE, 1), CLASSES)
    for i in range(IMAGES):
        store.layers.fc6[store.row[i] : store.row[i + 1]] = np.roll(noise, i, axis=1)
    return store


def train(store, stream):
    svms, rounds = train_svms(store.positives("fc6", 0.6), stream, SETTINGS)
    return {"bias": svms.bias.tolist()[1:], "weight": svms.weight.sum(dim=1).tolist(), "rounds": rounds}


def limit(more):
    held = int(re.search(r"VmData:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (held + more, resource.RLIM_INFINITY))


def attempt(action):
    try:
        return action()
    except (MemoryError, RuntimeError) as error:
        return f"{type(error).__name__}: {error}"


store = fill(Path(sys.argv[1]))
fit_svms([torch.zeros(0, 2), torch.ones(2, 2)], [torch.zeros(0, 2), -torch.ones(2, 2)])  # loads what it needs
total = IMAGES * PROPOSALS * SIZE * 4
report = {"total": total // MB, "cap": CAP // MB}
limit(CAP)
report["streamed"] = attempt(lambda: train(store, lambda: store.stream("fc6", 0.6)))
report["held, capped"] = attempt(lambda: len(list(store.stream("fc6", 0.6))))
limit(total + 16 * CAP)
everything = list(store.stream("fc6", 0.6))
report["held"] = train(store, lambda: iter(everything))
print(json.dumps(report))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux enforces a cap on allocated memory")
def test_mining_needs_a_fraction_of_the_memory_that_the_features_take(tmp_path):
    steady = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "MALLOC_ARENA_MAX"), "1")
    steady["MALLOC_MMAP_THRESHOLD_"] = "65536"  # glibc gives large blocks back at once: the same peak each time
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], env=os.environ | steady, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["total"] >= 4 * report["cap"]
    assert isinstance(report["streamed"], dict), report["streamed"]
    assert "memory" in report["held, capped"], "the cap does not act: holding everything should fail"
    assert report["streamed"]["rounds"] == report["held"]["rounds"]
    assert report["streamed"]["bias"] == pytest.approx(report["held"]["bias"])
    assert report["streamed"]["weight"] == pytest.approx(report["held"]["weight"])
    assert report["streamed"]["rounds"][0]["added"] == [0, 300, 300]
