"""OpenCV contrib as a peer: its graph segmentation and selective search, asked from another process.

``opencv-contrib-python-headless`` cannot live beside ``opencv-python-headless``: both install ``cv2``. So `Peer` makes
a virtual environment of its own under build/ (once; this needs a package registry) and starts this very file there as
a worker. Pictures and answers travel as .npy files, requests as lines of JSON; the worker holds the clock, and only
around the call to OpenCV.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

import numpy as np

ENVIRONMENT = Path(__file__).resolve().parents[1] / "build" / "opencv_contrib"
PACKAGE = "opencv-contrib-python-headless"


class Peer:
    """A running worker. ``with Peer(threads=2) as peer: seconds, boxes = peer.ask("fast", image)``."""

    def __init__(self, threads: int):
        self.folder = tempfile.TemporaryDirectory()
        command = [_python(), __file__, self.folder.name, str(threads)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.version = self._answer()["version"]

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *error: object) -> None:
        self.process.stdin.close()  # the worker's loop ends
        self.process.wait(timeout=60)
        self.folder.cleanup()

    def ask(self, task: str, image: np.ndarray, **options: float) -> tuple[float, np.ndarray]:
        """Seconds that OpenCV took, and its answer: boxes (N, 4) x1 y1 x2 y2, or labels (H, W) for "segmentation"."""
        np.save(Path(self.folder.name) / "image.npy", image)
        self.process.stdin.write(json.dumps({"task": task, **options}) + "\n")
        self.process.stdin.flush()
        return self._answer()["seconds"], np.load(Path(self.folder.name) / "answer.npy")

    def _answer(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the OpenCV worker ended with status {self.process.wait()}; its message is above")
        return json.loads(line)


def _python() -> str:
    """The interpreter of the peer's environment, which is made if it is not there."""
    python = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    test = [python, "-c", "from cv2 import ximgproc"]
    if not python.exists() or subprocess.run(test, capture_output=True).returncode != 0:
        print(f"making {ENVIRONMENT} with {PACKAGE} ...", flush=True)
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", PACKAGE], check=True)
    return str(python)


def _search(cv2, image: np.ndarray, task: str) -> np.ndarray:
    search = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
    search.setBaseImage(image)
    search.switchToSelectiveSearchFast() if task == "fast" else search.switchToSelectiveSearchQuality()
    return search.process()  # (N, 4) x y w h


def _work(folder: Path, threads: int) -> None:
    """Answers requests from standard input until it closes. Runs in the peer's environment."""
    import cv2

    cv2.setNumThreads(threads)
    print(json.dumps({"version": cv2.__version__}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        image = np.ascontiguousarray(np.load(folder / "image.npy")[:, :, ::-1])  # OpenCV's colours are B G R
        start = time.perf_counter()
        if request["task"] == "segmentation":
            segmentation = cv2.ximgproc.segmentation.createGraphSegmentation(
                request["sigma"], request["scale"], request["min_size"]
            )
            answer = segmentation.processImage(image)
        else:
            answer = _search(cv2, image, request["task"])
        seconds = time.perf_counter() - start
        if request["task"] != "segmentation":
            answer = answer.astype(np.float32)
            answer[:, 2:] += answer[:, :2]
        np.save(folder / "answer.npy", answer)
        print(json.dumps({"seconds": seconds}), flush=True)


if __name__ == "__main__":
    _work(Path(sys.argv[1]), int(sys.argv[2]))
