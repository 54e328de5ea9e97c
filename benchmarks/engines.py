"""Each engine beside a bare loop of client libraries: messages a second and client CPU, same messages, same server.

    python benchmarks/engines.py [smtp sendgrid ses mailgun] [--messages 3000] [--connections 20] [--rounds 3] [--json]

The server is the local inbox, as SMTP server or as the provider's API, in a process of its own.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from asking import answer, parser, positive
from clients.bare import BARE, ID, KEY, MAILGUN_DOMAIN, REGION, SECRET, Loop
from clients.mails import LARGE, prepared

from outreach_stream.domain.outcomes import Accepted, Failure
from outreach_stream.engines import registry

CONFIGS = {
    "smtp": {"host": "127.0.0.1", "security": "none"},
    "sendgrid": {"api_key": "env:BENCH_KEY"},
    "ses": {"region": REGION, "access_key_id": ID, "secret_access_key": "env:BENCH_SECRET"},
    "mailgun": {"api_key": "env:BENCH_KEY", "domain": MAILGUN_DOMAIN},
}
LOGINS = {"sendgrid": f"apikey:{KEY}", "ses": f"{ID}:{SECRET}", "mailgun": f"{MAILGUN_DOMAIN}:{KEY}"}


@contextmanager
def server(kind: str) -> Iterator[int]:
    """The inbox as this kind's other side; its port."""
    options = ["--provider", kind, "--auth", LOGINS[kind]] if kind in LOGINS else []
    inbox = subprocess.Popen([sys.executable, "-m", "outreach_stream.inbox", *options], stdout=subprocess.PIPE)
    try:
        yield json.loads(inbox.stdout.readline())["port"]  # type: ignore[union-attr]
    finally:
        inbox.terminate()
        inbox.wait()


def engine_loop(kind: str) -> Loop:
    async def our_engine(port: int, messages: int, connections: int) -> None:
        place = {"port": port} if kind == "smtp" else {"base_url": f"http://127.0.0.1:{port}"}
        engine = registry.build(registry.engine_from({
            "id": "bench", "kind": kind, "concurrency": connections, "connections": {"max_messages": messages},
            **CONFIGS[kind], **place}))
        numbers = iter(range(messages))

        async def worker() -> None:
            for number in numbers:
                connection = await engine.acquire()
                assert not isinstance(connection, Failure), connection
                outcome = await connection.hand_over(prepared(number))
                engine.release(connection)
                assert isinstance(outcome, Accepted), outcome

        await asyncio.gather(*(worker() for _ in range(connections)))
        await engine.close()

    return our_engine


def measure(send: Loop, port: int, messages: int, connections: int) -> tuple[float, float]:
    """Messages a second, and CPU microseconds of this process for each."""
    began, cpu = time.perf_counter(), time.process_time()
    asyncio.run(send(port, messages, connections))
    return messages / (time.perf_counter() - began), (time.process_time() - cpu) / messages * 1e6


def run(kind: str, messages: int, connections: int, rounds: int) -> list[dict[str, float | str]]:
    loops = {"our engine": engine_loop(kind), **BARE[kind]}
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in loops}
    with server(kind) as port:
        for send in loops.values():  # imports, connections, the server's first mails
            measure(send, port, connections, connections)
        for _ in range(rounds):  # in turn, so that a busy minute of the machine hits all alike
            for name, send in loops.items():
                measured[name].append(measure(send, port, messages, connections))
    rows = [{"kind": kind, "client": name, "per_second": round(statistics.median(rate for rate, _ in runs)),
             "client_cpu_us": round(statistics.median(cpu for _, cpu in runs), 1)} for name, runs in measured.items()]
    return [{**row, "ratio": round(rows[0]["per_second"] / row["per_second"], 2)} for row in rows]


def main() -> None:
    options = parser(__doc__, rounds=3)
    options.add_argument("kinds", nargs="*", metavar="KIND", default=list(CONFIGS), help="engines (default: all)")
    options.add_argument("--messages", type=positive, default=3_000, help="of each round (default: 3000)")
    options.add_argument("--connections", type=positive, default=20, help="of each client (default: 20)")
    asked = options.parse_args()
    rows = [row for kind in asked.kinds for row in run(kind, asked.messages, asked.connections, asked.rounds)]
    answer(asked, rows, lambda: [
        f"{asked.messages:,} messages of {LARGE:,} bytes, {asked.connections} connections, median of {asked.rounds}",
        f"{'kind':<9} {'client':<22} {'msg/s':>7} {'CPU µs/msg':>11} {'engine is':>10}",
        *(f"{row['kind']:<9} {row['client']:<22} {row['per_second']:>7,} {row['client_cpu_us']:>11} "
          f"{row['ratio']:>9}x" for row in rows)])


if __name__ == "__main__":
    main()
