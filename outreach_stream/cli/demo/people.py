"""The example database: people who do not exist, the same ones every time."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

FIRST = ("Zoë", "Łukasz", "Anna", "José", "Mia", "Noah", "Søren", "Chiara", "Yuki", "Amélie", "Jürgen", "Priya", "Olu",
         "Ingrid", "Mateo", "Élodie", "Tomáš", "Hannah", "Kwame", "Siobhán", "Ravi", "Lena", "Björn", "Aïcha", "Daniel")
LAST = ("Müller", "Nowak", "García", "Smith", "Okafor", "Rossi", "Ñíguez", "Hansen", "O'Brien", "Tanaka", "Dubois",
        "Kovač", "Lindqvist", "Sharma", "Ferreira", "Çelik", "Novák", "Walker", "van Dijk", "Ngô")
CITIES = ("Zürich", "Porto", "Gdańsk", "Leeds", "Lyon", "Malmö", "Kraków", "Århus", "Bologna", "Graz")
PLANTS = ("Lavender", "Sweet peas", "Rosé dahlias", "Foxglove", "Tomato 'Ténor'", "Hellebore", "Chives", "Fig", "Mint")
DOMAINS = ("post.example.com", "mail.example.org", "garden.example.net")

REFUSED, DEFERRED = 1, 2
"""Of each hundred people, the one whom the inbox refuses for good, and the one whom it defers once."""

UNSUBSCRIBED_EVERY = 50
"""For so many people there is one more who has said no; the workflow's query leaves those out."""

_INSERT = """INSERT INTO people (email, name, city, favourites, loyalty_years, subscribed, unsubscribe_token)
             VALUES (?, ?, ?, ?, ?, ?, ?)"""

type Row = tuple[str, str | None, str, str, int, bool, str]


def fill(database: Path, schema: str, people: int) -> None:
    """Create `database` with `people` subscribed people, each with a valid address of their own, and some others."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executescript(schema)
        connection.executemany(_INSERT, (person(i) for i in range(people)))
        connection.executemany(_INSERT, (person(i, subscribed=False)
                                         for i in range(people, people + people // UNSUBSCRIBED_EVERY)))
        connection.execute("INSERT INTO suppressed VALUES (?, 'complaint', '2026-01-15')", (person(people)[0],))


def person(i: int, *, subscribed: bool = True) -> Row:
    """The person of this number. Every seventeenth has no name on record."""
    first, last = FIRST[i % len(FIRST)], LAST[i // len(FIRST) % len(LAST)]
    name = f"{first} {last}" if i % 17 else None
    plants = sorted({PLANTS[i % len(PLANTS)], PLANTS[i * 7 % len(PLANTS)]})
    return (f"{_local_part(i)}@{DOMAINS[i % len(DOMAINS)]}", name, CITIES[i // 3 % len(CITIES)], ", ".join(plants),
            i % 8, subscribed, f"t{i:08x}")


def _local_part(i: int) -> str:
    """`refuse` and `defer` are what the inbox listens to."""
    return {REFUSED: f"refuse-{i}", DEFERRED: f"defer-{i}"}.get(i % 100, f"reader-{i}")


def addresses(people: int) -> Iterator[str]:
    """The addresses of the subscribed."""
    return (person(i)[0] for i in range(people))
