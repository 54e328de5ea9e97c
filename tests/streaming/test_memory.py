"""Memory: not mapped anew for each packet, and not searched for cycles all the time."""

import ctypes
import gc
import platform
import subprocess
import sys
import weakref

import pytest

from outreach_stream.streaming.memory import YOUNG, collect_rarely, keep_read_buffers

PACKETS = 1_000

READING = f"""
import resource, socket
from outreach_stream.streaming.memory import keep_read_buffers
assert keep_read_buffers()
ours, theirs = socket.socketpair()
def read():
    for _ in range({PACKETS}):
        theirs.send(b"x" * 100)
        ours.recv(256 * 1024)
read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
read()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library keeps memory in its own way")
def test_packets_are_read_without_page_faults() -> None:
    """A buffer as large as asyncio's is used again for the next packet; glibc by itself maps two pages for each."""
    told = subprocess.run([sys.executable, "-c", READING], capture_output=True, text=True, check=True, timeout=60)

    assert int(told.stdout) < PACKETS // 10


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without glibc's mallopt nothing is changed, and nothing fails."""
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())

    assert keep_read_buffers() is False


def test_what_was_there_is_never_searched_again() -> None:
    """The collector leaves out all that was made before, and still finds a cycle that comes later."""
    class Node:
        other: "Node"

    threshold = gc.get_threshold()
    gone: list[bool] = []
    try:
        collect_rarely()
        node = Node()
        node.other = node
        weakref.finalize(node, gone.append, True)
        del node
        left_out, rarely = gc.get_freeze_count(), gc.get_threshold()[0]
        gc.collect()
    finally:
        gc.unfreeze()
        gc.set_threshold(*threshold)

    assert left_out > 1_000
    assert rarely == YOUNG
    assert gone
