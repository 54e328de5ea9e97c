"""Orders as they come and are taken back."""

import pytest

from outreach_stream.domain.control import Control, EngineFuse, Matter, RunOrder, Subject, control_key

RUN, ENGINE = Subject("run", "r"), Subject("engine", "e")


@pytest.mark.parametrize(("subject", "matter", "order"), [
    (RUN, "pause", RunOrder(at=0)), (RUN, "cancel", RunOrder(at=0)), (ENGINE, "fuse", EngineFuse(reason="no", at=0))])
def test_it_is_quiet_when_nothing_is_ordered_about_anybody(
        subject: Subject, matter: Matter, order: RunOrder | EngineFuse) -> None:
    """Then, and only then, a mail need not be looked up: from the first order until the last is taken back."""
    control = Control()
    heard: list[bool] = []
    control.listeners.append(lambda _: heard.append(control.quiet))
    assert control.quiet
    control.note(control_key(subject, matter), order.encode())
    control.note(control_key(Subject("run", "other"), "pause"), RunOrder(at=0).encode())
    control.note(control_key(Subject("run", "other"), "pause"), None)
    assert not control.quiet
    control.note(control_key(subject, matter), None)
    assert control.quiet
    assert heard == [False, False, False, True]
