"""A secret that was pasted where it does not belong is refused, and not repeated by whoever refuses it."""

import os
import subprocess
import sys

import pytest

from outreach_stream.recipients.databases import open_database
from outreach_stream.recipients.failures import RecipientsFailed

from .secrets_planted import PLANTED, leaks

PASTED = PLANTED["WRONG_PLACE"]
ENGINES = {
    "sendgrid": "kind: sendgrid\napi_key: {}\n",
    "sendgrid-region": "kind: sendgrid\napi_key: env:SENDGRID_KEY\nregion: {}\n",
    "unknown-field": "kind: sendgrid\napi_key: env:SENDGRID_KEY\npassword: {}\n",
    "mailgun": "kind: mailgun\napi_key: {}\ndomain: mg.example.com\n",
    "mailgun-domain": "kind: mailgun\napi_key: env:MAILGUN_KEY\ndomain: {}\n",
    "ses": "kind: ses\nregion: eu-west-1\naccess_key_id: AKIAEXAMPLE\nsecret_access_key: {0}\nsession_token: {0}\n",
    "smtp": "kind: smtp\nhost: relay.example.com\nusername: us\npassword: {}\n",
    "smtp-url": "kind: smtp\nhost: relay.example.com\nport: {}\n",
    "smtp-dkim": "kind: smtp\nhost: relay.example.com\ndkim:\n  domain: example.com\n  selector: a\n  key: {}\n",
    "no-such-kind": "kind: {}\n",
    "base-url": "kind: sendgrid\napi_key: env:SENDGRID_KEY\nbase_url: https://us:{}@api.example.com\n",
    "alias": "kind: smtp\nhost: relay.example.com\nusername: us\npassword: *{}\n",
    "tag": "kind: smtp\nhost: relay.example.com\nusername: us\npassword: !{}\n",
    "a-number": "kind: smtp\nhost: relay.example.com\nrate: {}\n",
    "no-mapping": "{}\n",
    "open-quote": "kind: smtp\npassword: '{}\n",
}
WORKFLOW = """\
template: hello
engines: [smtp]
from: {0}
recipients:
  database: {1}
  query: SELECT email FROM people
"""


@pytest.fixture
def catalog(tmp_path, planted):
    """A catalog of mistakes, each with the secret in it."""
    for folder in ("engines", "workflows", "templates"):
        (tmp_path / folder).mkdir()
    for name, text in ENGINES.items():
        (tmp_path / f"engines/{name}.yaml").write_text(text.format(PASTED))
    (tmp_path / "templates/hello.yaml").write_text(f"subject: '{{{{ name'\ntext: x\nhtml: {{{PASTED}: 1}}\n")
    databases = (f"postgresql://us:{PASTED}@db/people", f"postgresql://db/people?password={PASTED}", PASTED)
    for i, database in enumerate(databases):
        (tmp_path / f"workflows/{i}.yaml").write_text(WORKFLOW.format(PASTED, database))
    return tmp_path


@pytest.mark.parametrize("command", [("catalog", "check"), ("engine", "check"), ("engine", "status"),
                                     ("trigger", "1"), ("worker", "sender")])
def test_every_command_that_reads_the_catalog(command, catalog):
    """Problems are told, each with its file, and none with the secret."""
    ran = subprocess.run([sys.executable, "-m", "outreach_stream.cli", *command], text=True, capture_output=True,
                         check=False, env=os.environ | {
                             "OUTREACH_CATALOG": str(catalog), "OUTREACH_STATE_DIR": str(catalog / "state"),
                             "OUTREACH_KAFKA_BOOTSTRAP": "127.0.0.1:9", "COLUMNS": "200"})

    told = ran.stdout + ran.stderr
    assert ran.returncode != 0
    named = [f"engines/{name}.yaml" in told for name in ENGINES]
    if command[0] == "engine":  # these go on with what can be read, and name the first problems only
        assert any(named)
    elif command[0] != "trigger":
        assert all(named)
    assert leaks(told) == [], [line for line in told.splitlines() if leaks(line)]


@pytest.mark.parametrize("url", [
    "postgresql://us:{}@127.0.0.1:9/people", "postgresql://us@127.0.0.1:9/people?password={}", "mysql://us:{}@db/people",
    "us:{}@db/people", "{}", "postgresql://us:{}@[::1/people", "postgresql://us:{}@db:port/people",
])
async def test_a_database_url(url, monkeypatch):
    """In the variable where it belongs: what cannot be read as a URL, or reached, is not quoted."""
    monkeypatch.setenv("DATABASE_URL", url.format(PASTED))
    with pytest.raises((RecipientsFailed, OSError)) as failed:
        async with open_database("env:DATABASE_URL").connect():
            pass

    chain, told = failed.value, ""
    while chain is not None:
        told, chain = told + repr(chain), None if chain.__suppress_context__ else chain.__cause__ or chain.__context__
    assert leaks(told) == []
