"""When an engine stops by itself."""

import pytest

from outreach_stream.delivery.fuse import FED_LIMIT, Fuse
from outreach_stream.domain.outcomes import (
    Accepted,
    EngineStopped,
    InDoubt,
    MessageRejected,
    Outcome,
    RecipientRejected,
    SenderBlocked,
    Throttled,
    Transient,
)

BLOCKED = SenderBlocked("blocked", "550 5.7.1 no mail from you, joe@x.example")


def test_it_stops_at_once_for_what_nobodys_mail_can_pass() -> None:
    """A key that is refused is refused for everybody; the reason holds no address."""
    reason = Fuse().feel(EngineStopped("bad_credentials", "535 who is joe@x.example"))
    assert reason == "bad_credentials: 535 who is (address)"
    assert Fuse().feel(EngineStopped("bad_credentials")) == "bad_credentials"


def test_blocks_in_a_row_stop_it() -> None:
    """Not the first, and not again for those still in flight."""
    fuse = Fuse()
    said = [fuse.feel(BLOCKED) for _ in range(FED_LIMIT + 3)]
    assert [number for number, reason in enumerate(said, 1) if reason] == [FED_LIMIT]


@pytest.mark.parametrize("between", [Transient("t"), Throttled("t"), RecipientRejected("t"), MessageRejected("t"),
                                     InDoubt("t")])
def test_only_an_accepted_mail_calms_it(between: Outcome) -> None:
    """What says nothing of the sender leaves the row as it is."""
    fuse = Fuse()
    for _ in range(FED_LIMIT - 1):
        assert fuse.feel(BLOCKED) is None
        assert fuse.feel(between) is None
    assert fuse.feel(Accepted()) is None
    assert not any(fuse.feel(BLOCKED) for _ in range(FED_LIMIT - 1))
    assert fuse.feel(between) is None
    assert fuse.feel(BLOCKED)


def test_an_operator_begins_anew() -> None:
    """What was felt before does not count any more."""
    fuse = Fuse()
    for _ in range(FED_LIMIT - 1):
        fuse.feel(BLOCKED)
    fuse.reset()
    assert fuse.feel(BLOCKED) is None
