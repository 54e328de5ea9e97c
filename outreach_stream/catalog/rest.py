"""A catalog behind an HTTP API: read once at the start, kept fresh by a thread, in use while the API is away."""

import random
import threading
import time
from collections.abc import Callable

import structlog

from outreach_stream.catalog.contract import COLLECTIONS, Collection, CollectionName
from outreach_stream.catalog.rest_client import CatalogApi, CatalogAway
from outreach_stream.catalog.rest_reading import NoReading, RestReading
from outreach_stream.catalog.sighting import Sighting
from outreach_stream.catalog.snapshot import Catalog, CatalogErrors, CatalogProblem

log = structlog.get_logger()

EVERY = 5.0
"""Seconds between two looks."""
SAY_AGAIN = 60.0
"""Seconds after which it is said again that the API is away."""


class RestCatalog:
    """Reads an API strictly: either all of it is right, or every mistake in it is named at once."""

    def __init__(self, api: CatalogApi, *, every: float = EVERY, sighting: Sighting | None = None,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._api, self._every, self._sighting, self._clock = api, every, sighting, clock
        self._reading: RestReading | None = None
        self._collections: dict[CollectionName, Collection] = {}
        self._good: Catalog | None = None
        self._seen_at = 0.0
        self._said_at: float | None = None
        self._refused: list[CatalogProblem] = []
        self._asking, self._beginning, self._stop = threading.Lock(), threading.Lock(), threading.Event()

    @property
    def age(self) -> float:
        """Seconds since the API last gave what is in use, or said that it still stands."""
        return self._clock() - self._seen_at

    def load(self) -> Catalog:
        """Ask for every collection; raises `CatalogErrors`. Blocks on the network, for a bounded time."""
        reading = self.read()
        if reading.problems:
            raise CatalogErrors(reading.problems)
        return reading.catalog

    def read(self) -> RestReading | NoReading:
        """Every object as far as it is right, with all problems: for those who look on. Blocks on the network."""
        try:
            return self._ask()
        except CatalogAway as away:
            words = f"{away} ({self._api.url})"
            if (age := self._sighting.age() if self._sighting else None) is not None:
                words += f". This machine's processes last read it {in_words(age)} ago; those that run go on with that"
            return NoReading(CatalogProblem(away.path, "", words))

    def current(self) -> Catalog:
        """The last good catalog, at once: a thread looks for changes, and keeps it while there is none that is good.

        The first call loads it: it blocks, and raises `CatalogErrors`.
        """
        if self._good is None:
            with self._beginning:
                if self._good is None:
                    self._begin()
        assert self._good is not None
        return self._good

    def close(self) -> None:
        """No more looks. For tests; a process just ends."""
        self._stop.set()
        with self._asking:
            self._api.close()

    def _begin(self) -> None:
        good = self.load()
        self._seen()
        threading.Thread(target=self._keep_fresh, name="catalog", daemon=True).start()
        self._good = good

    def _keep_fresh(self) -> None:
        while not self._stop.wait(random.uniform(0.9, 1.1) * self._every):  # noqa: S311 - spreads load
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next look must come
                self._say_away(type(error).__name__)

    def look(self) -> None:
        """Ask once, and use what is good; the log says what is not. Blocks on the network."""
        try:
            reading = self._ask()
        except CatalogAway as away:
            self._say_away(f"{away.path}: {away}")
            return
        if self._said_at is not None:
            log.info("catalog_back", age=round(self.age, 1))
        self._seen()
        if not reading.problems:
            self._good, self._refused = reading.catalog, []
        elif reading.problems != self._refused:     # once for each change
            self._refused = reading.problems
            log.warning("catalog_reload_failed", problems=[str(problem) for problem in sorted(reading.problems)])

    def _ask(self) -> RestReading:
        """The same reading again if nothing was changed."""
        with self._asking:
            before, reading = self._reading, self._read()
            # A change of several objects may have come between two collections: then the second reading is right.
            return self._read() if reading.problems and reading is not before else reading

    def _read(self) -> RestReading:
        found = {name: self._api.collection(name, self._collections.get(name)) for name in COLLECTIONS}
        same = all(self._collections.get(name) is collection for name, collection in found.items())
        if self._reading is None or not same:
            self._reading, self._collections = RestReading(self._api.path, found), found
        return self._reading

    def _seen(self) -> None:
        self._seen_at, self._said_at = self._clock(), None
        if self._sighting:
            self._sighting.note()

    def _say_away(self, why: str) -> None:
        if self._said_at is None or self._clock() - self._said_at >= SAY_AGAIN:
            self._said_at = self._clock()
            log.warning("catalog_away", why=why, age=round(self.age, 1))


def in_words(seconds: float) -> str:
    """`42 s`, `3 min` or `5 h`."""
    for size, unit in ((3_600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
