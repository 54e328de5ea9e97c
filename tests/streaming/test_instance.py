"""An instance id comes with its folder's lock, or not at all."""

from pathlib import Path

import pytest

from outreach_stream.streaming import instance


def test_the_id_is_the_same_at_every_start(tmp_path: Path) -> None:
    """A restart is the same member of the group."""
    first = instance.hold(tmp_path, "outreach-sender")
    instance.release(first)

    second = instance.hold(tmp_path, "outreach-sender")
    instance.release(second)

    assert first == second
    assert first.startswith("outreach-sender-")


def test_two_processes_cannot_have_one_folder(tmp_path: Path) -> None:
    """The second is told what to do."""
    held = instance.hold(tmp_path, "a")

    with pytest.raises(instance.FolderInUse, match="state folder of its own"):
        instance.hold(tmp_path, "a")
    instance.release(held)


def test_two_folders_have_two_ids(tmp_path: Path) -> None:
    """Workers side by side are two members."""
    one, two = (instance.hold(tmp_path / name, "a") for name in ("one", "two"))
    instance.release(one)
    instance.release(two)

    assert one != two
