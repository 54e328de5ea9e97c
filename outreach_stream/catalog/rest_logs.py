"""Brings the logs of finished runs to a catalog's API: each at least once, however long the API is away."""

import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import PurePosixPath

import httpx
import structlog

from outreach_stream.catalog.api_access import Access, NoTokenError
from outreach_stream.runs.log_store import LogReader, LogStore
from outreach_stream.values import SecretRef

log = structlog.get_logger()

EVERY = 5.0
"""Seconds between two looks at what is to be delivered."""
FIRST_RETRY, LONGEST_RETRY = 5.0, 600.0
"""Seconds until a log is sent again that was not taken: doubled each time, up to the second."""
TIMEOUT = 30.0
FOLDER = ".undelivered"
"""In the logs' store: a file for each log that the API may not have yet, with the log's name."""
PIECE = 1024 * 1024
"""Bytes that are read of a log at a time."""


class _NotTakenError(Exception):
    """The API did not take a log; the message says why."""


class LogDelivery:
    """Sends logs from a thread of its own; what is to be sent is noted beside the logs, and outlives the process."""

    def __init__(self, url: str, token: SecretRef | None, store: LogStore, *, every: float = EVERY,
                 timeout: float = TIMEOUT, clock: Callable[[], float] = time.monotonic) -> None:
        self._access, self._store, self._every, self._clock = Access(url, token, timeout), store, every, clock
        self._later: dict[str, tuple[float, float]] = {}    # note -> when it is sent again, and the pause before
        self._wake, self._ending = threading.Event(), False

    def note(self, name: str) -> None:
        """The log is to be delivered, from now on for sure. Blocks on the store; raises OSError."""
        self._store.put(f"{FOLDER}/{PurePosixPath(name).stem}", name.encode())
        self._wake.set()

    def start(self) -> None:
        """Begin, with what an earlier process left."""
        threading.Thread(target=self._work, name="log-delivery", daemon=True).start()

    def stop(self) -> None:
        """End after the log that is being sent. For tests; a process just ends, and leaves its notes."""
        self._ending = True
        self._wake.set()

    def deliver(self) -> None:
        """Send whatever is due. Blocks on the network; raises nothing for what is not taken, OSError for the store."""
        now = self._clock()
        for note in self._store.names(FOLDER):
            if self._later.get(note, (now, 0.0))[0] <= now:
                self._deliver(note)

    def _work(self) -> None:
        while not self._ending:
            self._wake.clear()
            try:
                self.deliver()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next look must come
                log.warning("logs_not_looked_for", error=type(error).__name__)
            self._wake.wait(self._every)

    def _deliver(self, note: str) -> None:
        run_id = PurePosixPath(note).name
        try:
            kept = self._send(run_id, self._noted(note))
        except (_NotTakenError, NoTokenError, OSError) as error:
            pause = min(2 * self._later.get(note, (0.0, FIRST_RETRY / 2))[1], LONGEST_RETRY)
            self._later[note] = self._clock() + pause, pause
            log.warning("log_not_delivered", run_id=run_id, why=str(error), retry_in=pause)
            return
        self._store.delete(note)            # another aggregator on the same store may have been first
        self._later.pop(note, None)
        log.info("log_delivered", run_id=run_id, kept=kept)

    def _noted(self, note: str) -> str:
        with self._store.open(note) as noted:
            return noted.read(0, noted.size).decode()

    def _send(self, run_id: str, name: str) -> bool:
        """Whether the API keeps it: one that keeps no logs says so, and is not asked again."""
        try:
            with self._store.open(name) as written:
                size = {"Content-Type": "application/json", "Content-Length": str(written.size)}
                answer = self._access.client.post(f"{self._access.url}/logs/{run_id}", content=_pieces(written),
                                                  headers=self._access.headers() | size)
        except httpx.HTTPError as error:
            raise _NotTakenError(f"the catalog's API cannot be reached ({type(error).__name__})") from error
        if answer.status_code == HTTPStatus.NOT_IMPLEMENTED:
            return False
        if not answer.is_success:
            raise _NotTakenError(f"the catalog's API answers {answer.status_code}")
        return True


def _pieces(written: LogReader) -> Iterator[bytes]:
    at = 0
    while piece := written.read(at, PIECE):
        at += len(piece)
        yield piece
