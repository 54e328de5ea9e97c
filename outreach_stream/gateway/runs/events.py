"""What changes, told to whoever listens: server-sent events of runs (https://html.spec.whatwg.org, section 9.2)."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable

from outreach_stream.gateway.runs.statuses import Word

STREAMS = 500
"""Listeners that one gateway has at the same time."""

PACE = 0.25
"""Seconds between two tellings to one listener: a run that changes more often is told as it stands then."""

HEARTBEAT = 15.0
"""Seconds of silence after which a listener, and whatever stands between, is shown that the stream is alive."""

HELLO = b"retry: 2000\n\n"
"""How long whoever loses the stream waits before it asks again, in milliseconds."""

_ALIVE = b": alive\n\n"


class TooManyListenersError(Exception):
    """There are as many streams as one gateway serves."""


class Listener:
    """One stream: of which runs there is something to tell. Its memory is one id for each run that has changed."""

    __slots__ = ("_dirty", "_run", "_wake")

    def __init__(self, run: str | None) -> None:
        """`run`: of this one only."""
        self._run, self._dirty, self._wake = run, dict[str, None](), asyncio.Event()

    def note(self, run: str) -> None:
        """Something has changed of that run."""
        if self._run in (None, run):
            self._dirty[run] = None
            self._wake.set()

    def wake(self) -> None:
        """End the waiting, though nothing has changed."""
        self._wake.set()

    async def changed(self) -> Iterable[str]:
        """The runs that have changed since the last call; waits for one, HEARTBEAT at most."""
        try:
            await asyncio.wait_for(self._wake.wait(), HEARTBEAT)
        except TimeoutError:
            return ()
        dirty, self._dirty = self._dirty, {}
        self._wake.clear()
        return dirty


class News:
    """Tells every listener of the runs that change. For one event loop."""

    def __init__(self, known: Callable[[str], Word | None]) -> None:
        """`known` is the last word on a run."""
        self._known = known
        self._listeners: set[Listener] = set()
        self._ended = False

    def changed(self, run: str, _: Word) -> None:
        """A run has changed; as a listener of `RunStatuses`."""
        for listener in self._listeners:
            listener.note(run)

    def end(self) -> None:
        """Let every stream end now, and none begin: the gateway stops."""
        self._ended = True
        for listener in self._listeners:
            listener.wake()

    def listen(self, first: Callable[[], Iterable[Word]], run: str | None = None) -> AsyncGenerator[bytes]:
        """A stream that begins with what `first` says then; with `run` it tells of that run only.

        It takes its place when it is begun, and gives it back when it ends or is closed. Raises
        `TooManyListenersError`.
        """
        if len(self._listeners) >= STREAMS:
            raise TooManyListenersError
        return self._stream(Listener(run), first)

    async def _stream(self, listener: Listener, first: Callable[[], Iterable[Word]]) -> AsyncGenerator[bytes]:
        self._listeners.add(listener)       # first of all: what changes from here on is told
        try:
            yield HELLO + b"".join(map(frame, first()))
            while not self._ended:
                await asyncio.sleep(PACE)
                changed = await listener.changed()
                yield b"".join(frame(word) for run in changed if (word := self._known(run))) or _ALIVE
        finally:
            self._listeners.discard(listener)


def frame(word: Word) -> bytes:
    """What is said of a run, as an event: its JSON as it came, which no listener has to pay for again."""
    raw = word.raw if b"\n" not in word.raw and b"\r" not in word.raw else word.status.encode()
    return b"event: run.status\ndata: " + raw + b"\n\n"
