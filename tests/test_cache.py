"""Writing so that nothing half-written is ever seen."""

import pytest

from rcnn_lite.cache import cache_dir, write_atomically


def test_cache_dir_follows_the_environment(private_cache):
    assert cache_dir() == private_cache
    assert private_cache.is_dir()


def test_a_finished_file_replaces_the_old_one(tmp_path):
    path = tmp_path / "new folder" / "values.txt"
    write_atomically(path, lambda temporary: temporary.write_text("one"))
    write_atomically(path, lambda temporary: temporary.write_text("two"))
    assert path.read_text() == "two"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("interruption", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path, interruption):
    path = tmp_path / "values.txt"
    path.write_text("old")

    def write(temporary):
        temporary.write_text("half of the n")
        raise interruption

    with pytest.raises(interruption):
        write_atomically(path, write)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
