"""`python -m outreach_stream.inbox`: prints one JSON line with its port, receives until SIGTERM or SIGINT."""

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

from outreach_stream.inbox import Inbox, Limit, Mode, Rule
from outreach_stream.inbox.providers import KINDS, stand_in
from outreach_stream.inbox.rules import Behaviour


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m outreach_stream.inbox", description="A local mail server that receives and keeps mail.",
        epilog="Recipients choose their fate by how their address begins: "
               + ", ".join(Behaviour) + "; grey-N is deferred for N seconds.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free one (default)")
    parser.add_argument("--provider", choices=KINDS, help="be this provider's HTTP API, instead of an SMTP server")
    parser.add_argument("--record", type=Path, help="file that gets a JSON line for each mail")
    parser.add_argument("--keep", type=Path, help="folder for the last messages, a file each")
    parser.add_argument("--keep-last", type=int, default=100, metavar="N", help="how many (default: 100)")
    parser.add_argument("--rule", type=Rule.parse, action="append", default=[], metavar="BEHAVIOUR=PATTERN",
                        help="for recipients matching a regular expression, before the names; may be repeated")
    parser.add_argument("--latency-ms", type=float, default=0.0, metavar="MS", help="by which replies are late")
    parser.add_argument("--pace", type=float, default=1.0, metavar="SECONDS",
                        help="between the bytes of `trickle` and the pieces of `sip` (default: 1)")
    parser.add_argument("--mode-file", type=Path, metavar="FILE",
                        help="its word holds for everybody, from the next connection or mail on: " + ", ".join(Mode))
    parser.add_argument("--auth", type=_credentials, metavar="NAME:PASSWORD",
                        help="take mail only after this login; for a provider apikey:KEY (SendGrid), DOMAIN:KEY "
                             "(Mailgun), ID:SECRET (SES), made-up ones by default")
    parser.add_argument("--limit", type=float, metavar="RATE",
                        help="mails a second that are taken; others get 454, or 429")
    parser.add_argument("--limit-wait", type=float, metavar="SECONDS",
                        help="after too many, take none for so long, and say how long: 451, or 429")
    parser.add_argument("--max-size", type=int, metavar="BYTES", help="default: 10 MB, or what the provider takes")
    return parser.parse_args(given)


def _credentials(text: str) -> tuple[str, str]:
    name, mark, password = text.partition(":")
    if not mark:
        raise ValueError
    return name, password


async def serve(asked: argparse.Namespace) -> None:
    """Receive until told to stop."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    provider = stand_in(asked.provider, asked.auth) if asked.provider else None
    inbox = Inbox(host=asked.host, port=asked.port, record=asked.record, keep=asked.keep,
                  keep_last=asked.keep_last, rules=tuple(asked.rule), latency=asked.latency_ms / 1_000,
                  max_size=asked.max_size, pace=asked.pace, mode_file=asked.mode_file, credentials=asked.auth,
                  limit=asked.limit and Limit(asked.limit, asked.limit_wait), provider=provider)
    async with inbox:
        sys.stdout.write(json.dumps({"port": inbox.port}) + "\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(serve(arguments()))
