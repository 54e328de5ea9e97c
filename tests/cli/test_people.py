"""The demo's people."""

import sqlite3
from pathlib import Path

from outreach_stream.cli.demo.people import addresses, fill
from outreach_stream.cli.demo.stage import example_catalog
from outreach_stream.inbox.rules import Behaviour, behaviour_for


def test_the_database_has_exactly_so_many_subscribed_people(tmp_path: Path) -> None:
    """1,000 subscribed people with addresses of their own; the others have said no."""
    schema = (example_catalog() / "people.sql").read_text(encoding="utf-8")
    fill(tmp_path / "people.db", schema, 1_000)

    with sqlite3.connect(tmp_path / "people.db") as connection:
        found = [row[0] for row in connection.execute("SELECT email FROM people WHERE subscribed ORDER BY id")]
        suppressed = {row[0] for row in connection.execute("SELECT email FROM suppressed")}
    connection.close()

    assert found == list(addresses(1_000))
    assert len(set(found)) == 1_000
    assert not suppressed & set(found)


def test_some_are_refused_and_some_deferred() -> None:
    """About one in a hundred is refused for good, another one deferred once, all others are accepted."""
    behaviours = [behaviour_for(address) for address in addresses(1_000)]

    assert behaviours.count(Behaviour.REFUSE) == 10
    assert behaviours.count(Behaviour.DEFER) == 10
    assert behaviours.count(Behaviour.ACCEPT) == 980
