"""What a demo that keeps running shows beside its run: schedules that tick, and an engine that has stopped."""

import sys
from collections.abc import Mapping
from pathlib import Path
from secrets import token_urlsafe

from outreach_stream.cli.supervisor import Program, outreach

DIGEST, LETTER = "digest", "partner-letter"
"""The workflows that are triggered besides: one that goes out, and one whose engine does not take it."""

_PORT, _PASSWORD = "OUTREACH_DEMO_OLD_PORT", "OUTREACH_DEMO_OLD_PASSWORD"

_WORKFLOW = """\
name: {name}
template: {template}
engines: [{engine}]
from: {{name: Hazel & Co. Garden Supplies, email: hello@hazel.example.com}}
recipients:
  database: sqlite:///people.db
  query: SELECT email, name, city FROM people WHERE subscribed ORDER BY id DESC LIMIT {people}
"""

_FILES = {
    "engines/old-relay.yaml": f"""\
# The demo's trouble: somebody has changed this relay's password. The first mail stops it, and its run waits.
kind: smtp
host: 127.0.0.1
port: env:{_PORT}
security: none
username: hazel
password: env:{_PASSWORD}
rate: 20
""",
    f"workflows/{DIGEST}.yaml": _WORKFLOW.format(name="Garden digest", template="digest", engine="inbox", people=60),
    f"workflows/{LETTER}.yaml": _WORKFLOW.format(
        name="Letter to partners", template="letter", engine="old-relay", people=25),
    "templates/digest.yaml": 'subject: "{{ name or \'Gardener\' }}, this week in {{ city }}"\n'
                             'text: "What to sow, prune and pick in {{ city }} this week."\n',
    "templates/letter.yaml": 'subject: "To our partners in {{ city }}"\n'
                             'text: "Dear {{ name or \'partner\' }}, here is what comes this season."\n',
}

_SCHEDULES = {
    "schedules/digest.yaml": f'# Every minute, so that there is something to see; a real one would say "0 7 * * FRI".\n'
                             f'workflow: {DIGEST}\ncron: "* * * * *"\nmax_lateness: 2m\n',
    "schedules/monday-offer.yaml": 'workflow: 1\ncron: "0 9 * * MON"\ntimezone: Europe/Berlin\ncatch_up: none\n',
}


def prepare(catalog: Path) -> None:
    """Add workflows and an engine to the demo's catalog."""
    _write(catalog, _FILES)


def schedule(catalog: Path) -> None:
    """Have the ticker begin: not before the demo's own run is counted, for the same people get its mails."""
    _write(catalog, _SCHEDULES)


def _write(catalog: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        file = catalog / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")


def surroundings(port: int) -> dict[str, str]:
    """What the added files refer to: the old relay at `port`, and a password that it does not know any more."""
    return {_PORT: str(port), _PASSWORD: token_urlsafe()}


def programs(port: int, env: Mapping[str, str], logs: Path) -> list[Program]:
    """The ticker, and the relay whose password was changed."""
    relay = Program("old-relay", (sys.executable, "-m", "outreach_stream.inbox", "--port", str(port),
                                  "--auth", f"hazel:{token_urlsafe()}"), output=logs / "old-relay.log")
    return [relay, outreach("ticker", "ticker", env=env, output=logs / "ticker.log")]
