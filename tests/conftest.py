"""What several tests share: the folder of real photographs, a private cache, seeded generators."""

import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parents[1]

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with voc100, bccd, coco_free, dsb2018_small and nuts (see README, "Test data")."""
    folder = Path(os.environ.get("RCNN_LITE_REAL_DATA") or REPOSITORY.parent / "shared" / "data")
    if not folder.is_dir():
        sentence = f"no folder of real photographs at {folder}: set RCNN_LITE_REAL_DATA to run this test"
        if os.environ.get("RCNN_LITE_REQUIRE_REAL_DATA") == "1":
            pytest.fail(sentence)
        pytest.skip(sentence)
    return folder


@pytest.fixture
def private_cache(tmp_path, monkeypatch) -> Path:
    """An empty cache folder that the package uses instead of the user's."""
    monkeypatch.setenv("RCNN_LITE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def generator() -> torch.Generator:
    """A torch generator with a fixed seed."""
    return torch.Generator().manual_seed(0)
