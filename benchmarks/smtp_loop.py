"""Messages a second and client CPU of the SMTP engine beside bare aiosmtplib, to the same inbox in the same run.

    python benchmarks/smtp_loop.py [--messages 20000] [--connections 20] [--rounds 3] [--json]
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import aiosmtplib

from outreach_stream.domain.message import Mail, Mailbox, OutgoingMessage
from outreach_stream.domain.outcomes import Accepted, Failure
from outreach_stream.engines.smtp import SmtpEngine
from outreach_stream.engines.smtp_config import SmtpConfig

SENDER = "news@sender.example"
CONTENT = (b"Message-ID: <%d@sender.example>\r\nFrom: news@sender.example\r\nSubject: Hello\r\n\r\n"
           + b"A line of text as it stands in a newsletter, about seventy bytes long.\r\n" * 38)

type Sender = Callable[[int, int, int], Awaitable[None]]


async def bare_aiosmtplib(port: int, messages: int, connections: int) -> None:
    numbers = iter(range(messages))

    async def worker() -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as client:
            for number in numbers:
                await client.sendmail(SENDER, [f"r{number}@recipient.example"], CONTENT % number)

    await asyncio.gather(*(worker() for _ in range(connections)))


def prepared(number: int) -> OutgoingMessage:
    recipient, content = f"r{number}@recipient.example", CONTENT % number
    return OutgoingMessage(f"<{number}@sender.example>", SENDER, recipient,
                           Mail(Mailbox(SENDER), Mailbox(recipient), "x"), lambda **_: content)


async def our_engine(port: int, messages: int, connections: int) -> None:
    engine = SmtpEngine(SmtpConfig.model_validate({
        "id": "bench", "kind": "smtp", "host": "127.0.0.1", "port": port, "security": "none",
        "concurrency": connections, "connections": {"max_messages": messages}}))
    numbers = iter(range(messages))

    async def worker() -> None:
        for number in numbers:
            connection = await engine.acquire()
            assert not isinstance(connection, Failure), connection
            message = prepared(number)
            outcome = await connection.hand_over(message)
            engine.release(connection)
            assert isinstance(outcome, Accepted), outcome

    await asyncio.gather(*(worker() for _ in range(connections)))
    await engine.close()


SENDERS: dict[str, Sender] = {"aiosmtplib": bare_aiosmtplib, "our engine": our_engine}


def measure(send: Sender, port: int, messages: int, connections: int) -> tuple[float, float]:
    """Messages a second, and CPU microseconds of this process for each."""
    began, cpu = time.perf_counter(), time.process_time()
    asyncio.run(send(port, messages, connections))
    return messages / (time.perf_counter() - began), (time.process_time() - cpu) / messages * 1e6


def run(messages: int, connections: int, rounds: int) -> list[dict[str, float | str]]:
    inbox = subprocess.Popen([sys.executable, "-m", "outreach_stream.inbox"], stdout=subprocess.PIPE)
    try:
        port = json.loads(inbox.stdout.readline())["port"]  # type: ignore[union-attr]
        measured: dict[str, list[tuple[float, float]]] = {name: [] for name in SENDERS}
        for _ in range(rounds):  # in turn, so that a busy minute of the machine hits all alike
            for name, send in SENDERS.items():
                measured[name].append(measure(send, port, messages, connections))
    finally:
        inbox.terminate()
        inbox.wait()
    return [{"sender": name, "messages": messages, "connections": connections,
             "per_second": round(statistics.median(rate for rate, _ in runs)),
             "client_cpu_us": round(statistics.median(cpu for _, cpu in runs), 1)}
            for name, runs in measured.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    rows = run(asked.messages, asked.connections, asked.rounds)
    if asked.json:
        print(json.dumps(rows))
        return
    print(f"{'sender':<12} {'msg/s':>8} {'client CPU µs/msg':>18}   ({asked.messages:,} messages of "
          f"{len(CONTENT):,} bytes, {asked.connections} connections, median of {asked.rounds})")
    for row in rows:
        print(f"{row['sender']:<12} {row['per_second']:>8,} {row['client_cpu_us']:>18}")


if __name__ == "__main__":
    main()
