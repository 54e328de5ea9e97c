"""A catalog of a shop with real people in SQLite, for what looks at recipients."""

import sqlite3
from pathlib import Path

from outreach_stream.catalog.folder import FolderCatalog

FILES = {
    "engines/relay.yaml": "kind: memory\n",
    "templates/hello.yaml": "subject: 'Hello {{ name }}'\ntext: '{{ city }}, {{ discount }} % for {{ email }}'\n"
                            "html: '<p>{{ city }}</p>'\n",
    "templates/odd.yaml": "subject: 'Hi'\ntext: '{{ colour }}'\n",
    "suppressed.txt": "cleo@example.org\n",
    "workflows/7.yaml": "name: Sale\ntemplate: hello\nengines: [relay]\nfrom: {email: a@shop.example.com, name: Shop}\n"
                        "reply_to: help@shop.example.com\nheaders: {X-City: '{{ city }}'}\n"
                        "parameters: {town: {required: true}, discount: 10}\nsuppression: {file: suppressed.txt}\n"
                        "recipients:\n  database: sqlite:///people.db\n"
                        "  query: \"SELECT * FROM people WHERE :town = '' OR city = :town\"\n",
    "workflows/inline.yaml": "template: hello\nengines: [relay]\nfrom: a@shop.example.com\nparameters: {discount: 5}\n",
    "workflows/odd.yaml": "template: odd\nengines: [relay]\nfrom: a@shop.example.com\n"
                          "recipients: {database: 'sqlite:///people.db', query: SELECT email FROM people}\n",
    "workflows/slow.yaml": "template: odd\nengines: [relay]\nfrom: a@shop.example.com\nrecipients:\n"
                           "  database: sqlite:///people.db\n"
                           "  query: WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
                           "SELECT 'a@example.org' AS email, 'red' AS colour FROM n WHERE i < 0\n",
    "workflows/away.yaml": "template: odd\nengines: [relay]\nfrom: a@shop.example.com\n"
                           "recipients: {database: 'env:SHOP_DB', query: SELECT 1 AS email}\n",
    "workflows/endless.yaml": "template: hello\nengines: [relay]\nfrom: a@shop.example.com\nparameters: {discount: 1}\n"
                              "recipients:\n  database: sqlite:///people.db\n"
                              "  query: WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
                              "SELECT 'p' || i || '@example.org' AS email, 'Rome' AS city FROM n\n",
    "schedules/daily.yaml": "workflow: 7\ncron: 0 9 * * *\ntimezone: Europe/Berlin\nparameters: {town: Rome}\n"
                            "quiet: [{from: '08:00', to: '10:00'}]\n",
    "schedules/over.yaml": "workflow: 7\nat: 2020-01-01T00:00:00Z\nparameters: {town: Oslo}\n",
    "schedules/off.yaml": "workflow: 7\ncron: '* * * * *'\nenabled: false\nparameters: {town: Oslo}\n",
}
PEOPLE = [("no address", "Bob", "Oslo"), ("ada@example.org", "Ada", "Rome"), ("ADA@example.org", "Ada", "Rome"),
          ("cleo@example.org", "Cleo", "Rome"), ("dan@example.org", None, "Oslo")]


def shop(folder: Path) -> FolderCatalog:
    """The catalog, written into `folder`."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    with sqlite3.connect(folder / "people.db") as db:
        db.execute("CREATE TABLE people (email TEXT, name TEXT, city TEXT)")
        db.executemany("INSERT INTO people VALUES (?, ?, ?)", PEOPLE)
    return FolderCatalog(folder)
