"""How memory is kept in a process that handles many small things: by the C library, and by Python's collector."""

import ctypes
import gc
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Options of glibc's mallopt(3)."""

MAPPED_FROM = 1024 * 1024
"""Bytes of a block from which on it is mapped for itself. glibc begins at 128 KiB."""

KEPT_FREE = 4 * 1024 * 1024
"""Bytes free at the end of a heap that are not given back. glibc keeps 128 KiB."""


def keep_read_buffers() -> bool:
    """Has glibc take asyncio's read buffers from its heap; False: the C library is another, and nothing is changed.

    asyncio asks for 256 KiB for each packet and gives back what the packet does not need. glibc maps such a block,
    shrinks it and unmaps it: three system calls and two page faults, 17 µs for a reply of 100 bytes instead of 2.
    Costs a few MiB of memory in each thread that reads.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        return False
    return all([mallopt(M_MMAP_THRESHOLD, MAPPED_FROM), mallopt(M_TRIM_THRESHOLD, KEPT_FREE)])


YOUNG = 20_000
"""Objects that may be made, and not be gone again, until the collector looks for cycles among them. Python's is 2,000.

Of a mail's objects nearly all are gone before so many others have come; at 2,000 most are looked at in vain.
"""


def collect_rarely() -> None:
    """Has the collector pass over all that is there now, for good, and look at the rest less often.

    For the moment at which everything is imported and wired. A look at a worker's modules takes 0.1 s, in which no mail
    leaves; and with what is young it took 12 µs of each recipient in a sender.
    """
    gc.freeze()
    gc.set_threshold(YOUNG)
