"""How Python's collector of cycles keeps out of the way of a process that handles many small things."""

import gc

YOUNG = 20_000
"""Objects that may be made, and not be gone again, until the collector looks for cycles among them. Python's is 2,000.

Of a mail's objects nearly all are gone before so many others have come; at 2,000 most are looked at in vain.
"""


def collect_rarely() -> None:
    """Has the collector pass over all that is there now, for good, and look at the rest less often.

    For the moment at which everything is imported and wired: a look at a worker's modules takes a sender 0.1 s, in
    which no mail leaves.
    """
    gc.freeze()
    gc.set_threshold(YOUNG)
