"""A worker's process: one app from its start to SIGTERM, and never longer than it may take to stop."""

import asyncio
import faulthandler
import os
import signal
import threading

import structlog

from outreach_stream.streaming import vitals
from outreach_stream.streaming.app import StreamApp
from outreach_stream.streaming.logs import calm_libraries
from outreach_stream.streaming.memory import collect_rarely
from outreach_stream.telemetry.endpoint import Listening, told

log = structlog.get_logger()


def run(app: StreamApp, listening: Listening | None = None) -> int:
    """Runs `app` until SIGTERM or SIGINT; returns the process's exit code: 0, or 1 after a crash.

    Its health and metrics are told on `listening` meanwhile.
    The process is gone `limits.stop` seconds after the signal; with every stack on stderr if it had to be forced.
    """
    calm_libraries()
    collect_rarely()
    try:
        return asyncio.run(_told(app, listening))
    finally:
        if threading.active_count() == 1:       # else a thread is still to be joined: the last resort stays armed
            faulthandler.cancel_dump_traceback_later()


async def _told(app: StreamApp, listening: Listening | None) -> int:
    role = app.conf.id.removeprefix("outreach-")
    async with told(role, listening, app.readings, lambda: vitals.unready(app)):
        return await _until_signal(app)


async def _until_signal(app: StreamApp) -> int:
    stop = asyncio.Event()

    def stopping(number: int) -> None:
        log.info("worker_stopping", app=app.conf.id, signal=signal.Signals(number).name)
        # Not a task: what keeps a stop from ending may keep the loop from turning, or a thread from being joined.
        faulthandler.dump_traceback_later(app.limits.stop, exit=True)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping, number)
    return await serve(app, stop)


async def serve(app: StreamApp, stop: asyncio.Event) -> int:
    """Runs `app` in this event loop until `stop` is set or it crashes; returns the exit code. Others may too."""
    app.in_worker = True
    running = asyncio.create_task(_run(app))
    stopped = asyncio.create_task(stop.wait())
    log.info("worker_started", app=app.conf.id, pid=os.getpid())
    await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
    await app.stop()
    stopped.cancel()
    running.cancel()
    await asyncio.wait({running, stopped})
    crashed = app.crash_reason or (None if running.cancelled() else running.exception())
    log.info("worker_stopped", app=app.conf.id, crashed=repr(crashed) if crashed else None)
    return 1 if crashed else 0


async def _run(app: StreamApp) -> None:
    await app.start()
    await app.wait_until_stopped()
