"""How often one caller may ask."""

from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from time import monotonic

KNOWN_CALLERS = 10_000
"""Callers that are remembered: the memory of a limit is bounded, whoever asks."""

LONGEST_ADDRESS = 45
"""Characters of an address: those of `ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255`."""


def admitted(due: float, now: float, rate: float, burst: float) -> tuple[float, float]:
    """When the next request is due, and how many seconds this one is too early; 0.0: it may go.

    The generic cell rate algorithm, a token bucket in one number: `rate` a second in the long run, `burst` at once.
    """
    start = max(due, now)
    early = start - now - (burst - 1) / rate
    return (due, early) if early > 0 else (start + 1 / rate, 0.0)


class Rate:
    """Requests per second of each caller, `burst` of them at once. Who asked longest ago is forgotten first."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._due: OrderedDict[str, float] = OrderedDict()

    def wait(self, who: str) -> float:
        """Seconds until `who` may ask again; 0.0: now, and that is counted."""
        now = self._clock()
        self._due[who], early = admitted(self._due.pop(who, now), now, self._rate, self._burst)
        if len(self._due) > KNOWN_CALLERS:
            self._due.popitem(last=False)
        return early


def address_group(host: str) -> str:
    """Whose address it is: of IPv6 the first 64 bits, since whoever has one has all that begin so.

    A proxy may pass on as an address what its client made up; of that so much counts as an address is long.
    """
    try:
        address = ip_address(host)
    except ValueError:
        return host[:LONGEST_ADDRESS]
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or IPv6Address(int(address) >> 64 << 64))
    return host
