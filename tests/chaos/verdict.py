"""What became of everybody, counted at both ends: in the run's log, and at the inbox."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from outreach_stream.domain.events import RunStatus

from .relays import Relay
from .system import System


@dataclass(frozen=True, slots=True)
class Figures:
    """One run in numbers."""

    people: int
    lost: int
    """Without exactly one end, or `sent` by the log and unknown at the inbox."""
    duplicates: int
    """Recipients with more than one mail at the inbox."""
    silent: int
    """Of those, without a label, and recipients whose mail arrived while the log denies it."""
    labelled: int
    """Recipients whose end says that they may have been mailed twice."""
    in_doubt: int
    in_flight: int
    """How many mails may have been on the wire when something broke: the most that may be mailed twice."""

    def as_dict(self) -> dict[str, int]:
        """For a line of results."""
        return asdict(self)


def count(system: System, status: RunStatus, people: set[str], in_flight: int, *, at: Iterable[Relay] = ()) -> Figures:
    """The figures of the run that ended with `status`; `people` are all it was for, `at` where else mails arrived."""
    entries = {entry["email"]: entry for entry in system.log(status)["recipients"]}
    times = Counter(entry["email"] for entry in system.log(status)["recipients"])
    arrived = sum((Counter(relay.mails()) for relay in at), system.arrived().recipients())
    mails = {email: count for email, count in arrived.items() if email in people}
    sent = {email for email, entry in entries.items() if entry["status"] == "sent"}
    doubted = {email for email, entry in entries.items() if entry["status"] == "in_doubt"}
    labelled = {email for email, entry in entries.items() if entry["possible_duplicate"]}
    repeated = {email for email, count in mails.items() if count > 1}
    return Figures(
        people=len(people),
        lost=sum(times[email] != 1 for email in people) + len(sent - mails.keys()) + len(entries.keys() - people),
        duplicates=len(repeated),
        silent=len(repeated - labelled) + len(mails.keys() - sent - doubted),
        labelled=len(labelled & sent), in_doubt=len(doubted), in_flight=in_flight)


class Broken(AssertionError):  # noqa: N818 - what is broken is a promise
    """A promise does not hold, by these figures."""

    def __init__(self, text: str, figures: Figures) -> None:
        super().__init__(text)
        self.figures = figures


def check(figures: Figures) -> None:
    """The promises: nobody lost, what is mailed twice was in flight when something broke, and each is labelled."""
    if figures.lost:
        raise Broken(f"{figures.lost} have no end, or one that is not true: {figures}", figures)
    if figures.silent:
        raise Broken(f"{figures.silent} were mailed, or mailed twice, and the log does not say so: {figures}", figures)
    if figures.duplicates > figures.in_flight:
        raise Broken(f"more were mailed again than were in flight: {figures}", figures)


def check_whole(system: System, status: RunStatus, people: set[str], in_flight: int, *, at: Iterable[Relay] = ()
                ) -> Figures:
    """The same, and everybody has to be mailed."""
    figures = count(system, status, people, in_flight, at=at)
    check(figures)
    if status.counts.sent != len(people):
        raise Broken(f"not everybody was mailed: {status.counts}", figures)
    return figures
