"""Pictures of 5,000 x 5,000 pixels, each call in a process of its own: its result, its time and its memory."""

import json
import subprocess
import sys

import pytest

pytest.importorskip("resource", reason="peak memory is asked for in the Unix way")

START = """
import json, resource, sys, time
import numpy as np
from rcnn_lite.proposals.segmentation import felzenszwalb
from rcnn_lite.proposals.selective_search import selective_search


def peak():  # megabytes
    if sys.platform == "linux":  # there ru_maxrss also counts the process that started this one
        return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def report(call, image):
    call(image[:64, :64])  # compiles
    before, start = peak(), time.process_time()
    result = call(image)
    return result, {"seconds": time.process_time() - start, "megabytes": peak() - before}


# 50 x 50 tiles of 100 pixels; neighbours differ by at least 90 levels in some channel
y, x = np.ogrid[:50, :50]
small = np.stack((40 + 90 * (x % 3) + 0 * y, 40 + 90 * (y % 3) + 0 * x, 0 * x + 0 * y), axis=2).astype(np.uint8)
tiles = small.repeat(100, axis=0).repeat(100, axis=1)
"""


def run(code):
    """The last line that ``code``, after `START`, prints."""
    done = subprocess.run([sys.executable, "-c", START + code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_segmentation():
    """Every tile is a segment; about 40 bytes a pixel."""
    found = run("""
labels, found = report(lambda image: felzenszwalb(image, 100, 0, 100), tiles)
found["right"] = bool((labels == (50 * y + x).repeat(100, axis=0).repeat(100, axis=1)).all())
print(json.dumps(found))
""")
    assert found["right"]
    assert found["megabytes"] < 50 * 25
    assert found["seconds"] < 20


@pytest.mark.parametrize("channels", ["tiles", "tiles[:, :, 0]", "np.dstack((tiles, tiles[:, :, :1]))"])
def test_selective_search(channels):
    """It works on 500 x 500 pixels: what remains to be paid for is reading the picture."""
    found = run(f"""
boxes, found = report(selective_search, {channels})
found["boxes"] = boxes.tolist()
print(json.dumps(found))
""")
    assert [0, 0, 5000, 5000] in found["boxes"]
    assert len(found["boxes"]) > 5
    assert found["megabytes"] < 250
    assert found["seconds"] < 10
