"""A file that is there whole or not at all, also on a disk that is full."""

import errno
import resource
from contextlib import contextmanager

import pytest

from outreach_stream.runs.log_file import WholeFile


def write(path, pieces):
    with WholeFile(path) as file:
        for piece in pieces:
            file.write(piece)


def write_half(path):
    with WholeFile(path) as file:
        file.write(b"half of")
        raise OSError(errno.ENOSPC, "no space left on device")


def test_a_file_that_fails_leaves_the_old_one_and_no_trace(tmp_path):
    """Whatever happens on the way, readers see the whole old file or the whole new one."""
    path = tmp_path / "day" / "run.json"
    with WholeFile(path) as file:
        file.write(b"old")
    with pytest.raises(OSError, match="no space left"):
        write_half(path)
    assert path.read_bytes() == b"old"

    (path.parent / ".run.json.killed").write_bytes(b"left by a killed process")
    with WholeFile(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


@contextmanager
def largest_file(size):
    """As a disk that is nearly full: the kernel takes no more bytes of a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("piece", [10, 100_000])
def test_a_full_disk_is_not_filled_further_by_drafts(tmp_path, piece):
    """What cannot be written, nor even be flushed when it is closed, is removed: there is a next try."""
    path = tmp_path / "day" / "run.json"
    with largest_file(1_000), pytest.raises(OSError, match="too large") as refused:
        write(path, [b"x" * piece] * (200_000 // piece))

    assert refused.value.errno == errno.EFBIG
    assert list(path.parent.iterdir()) == []


def test_a_file_where_the_folder_should_be_is_an_error_that_passes(tmp_path):
    """As with a folder that is read-only: nothing is written, until somebody clears the way."""
    (tmp_path / "day").write_bytes(b"in the way")
    with pytest.raises(OSError, match="exists"), WholeFile(tmp_path / "day" / "run.json"):
        pass

    (tmp_path / "day").unlink()
    with WholeFile(tmp_path / "day" / "run.json") as file:
        file.write(b"new")
    assert (tmp_path / "day" / "run.json").read_bytes() == b"new"
