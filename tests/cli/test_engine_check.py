"""`outreach engine check` against real servers, and against kinds of engines that have faults."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from outreach_stream.cli import engine_check
from outreach_stream.domain.ports import Finding
from outreach_stream.engines import registry, smtp_check
from outreach_stream.engines.dkim import Signer
from outreach_stream.inbox import InboxRecord
from tests.cli.conftest import Outreach, running
from tests.engines.keys import pem, rsa

WORKFLOW = "template: hello\nengines: [{engine}]\nfrom: {{name: {name}, email: {name}@hazel.example.com}}\n"

type Write = Callable[..., None]


@pytest.fixture
def engine(tmp_path: Path) -> Write:
    """Writes an engine into the test's catalog, where two workflows name it, of which the first is Ann's."""
    def write(name: str, **fields: object) -> None:
        for folder in ("engines", "workflows", "templates"):
            (tmp_path / "catalog" / folder).mkdir(parents=True, exist_ok=True)
        files = {f"engines/{name}": json.dumps(fields), "templates/hello": "subject: Hello\ntext: Hello"}
        files |= {f"workflows/{sender}-{name}": WORKFLOW.format(engine=name, name=sender) for sender in ("ann", "bob")}
        for file, content in files.items():
            (tmp_path / "catalog" / f"{file}.yaml").write_text(content, encoding="utf-8")
    return write


@pytest.fixture
def check(inside: Outreach) -> Outreach:
    """Runs `outreach engine check …` on the test's catalog."""
    return lambda *arguments, **settings: inside("engine", "check", *arguments, OUTREACH_CATALOG="catalog", **settings)


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Callable[..., int]]:
    """Starts inboxes that keep what they receive, each in a process of its own; gives their ports."""
    with ExitStack() as started:
        def start(credentials: str, *options: str) -> int:
            command = (sys.executable, "-m", "outreach_stream.inbox", "--auth", credentials, *options,
                       "--record", tmp_path / "record", "--keep", tmp_path / "kept")
            process = started.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
            started.callback(process.terminate)
            assert process.stdout
            return json.loads(process.stdout.readline())["port"]
        yield start


@pytest.fixture
def inbox(serving: Callable[..., int]) -> int:
    """An SMTP server that wants a login; its port."""
    return serving("me:corr3ct")


def relay(port: int, host: str = "127.0.0.1") -> dict[str, object]:
    return {"kind": "smtp", "host": host, "port": port, "security": "none", "username": "me", "password": "env:KEY"}


def test_a_test_mail_arrives(check: Outreach, engine: Write, inbox: int, tmp_path: Path) -> None:
    """It comes from the first workflow's sender, says that it is a test of which engine, and looks like any mail."""
    engine("main", **relay(inbox))
    answer = check("main", "--to", "eve@example.com", KEY="corr3ct")
    (mail,) = InboxRecord(tmp_path / "record").mails()
    kept = (tmp_path / "kept" / "00000001.eml").read_text(encoding="utf-8")

    assert (answer.returncode, answer.stderr) == (0, "")
    assert "✓ login" in answer.stdout
    assert "✓ mail     taken as " in answer.stdout
    assert (mail.sender, mail.recipient) == ("ann@hazel.example.com", "eve@example.com")
    assert mail.message_id.endswith("@hazel.example.com>")
    for line in ("From: ann <ann@hazel.example.com>", "To: eve@example.com", "Subject: Test of engine main", "Date: "):
        assert line in kept
    assert "multipart/alternative" in kept


def test_another_sender_may_be_chosen(check: Outreach, engine: Write, inbox: int, tmp_path: Path) -> None:
    """`--from` is who the preflight asks about, and whom the test mail is from."""
    engine("main", **relay(inbox))

    assert check("main", "--to", "eve@example.com", "--from", "zoe@example.org", KEY="corr3ct").returncode == 0
    assert [mail.sender for mail in InboxRecord(tmp_path / "record").mails()] == ["zoe@example.org"]


@pytest.mark.parametrize(("kind", "credentials", "fields"), [
    ("sendgrid", "apikey:corr3ct", {"api_key": "env:KEY"}),
    ("mailgun", "mg.example.com:corr3ct", {"api_key": "env:KEY", "domain": "mg.example.com"}),
    ("ses", "AKIDEXAMPLE:corr3ct",
     {"region": "eu-west-1", "access_key_id": "AKIDEXAMPLE", "secret_access_key": "env:KEY"}),
])
def test_providers_are_checked_and_take_the_test_mail(
        check: Outreach, engine: Write, serving: Callable[..., int], tmp_path: Path,
        kind: str, credentials: str, fields: dict[str, str]) -> None:
    """By their own API: a good key lets the mail arrive, a wrong one is found at the login, and not repeated."""
    base_url = f"http://127.0.0.1:{serving(credentials, '--provider', kind)}"
    engine("main", kind=kind, base_url=base_url, **fields)
    good = check("main", "--to", "eve@example.com", KEY="corr3ct")
    wrong = check("main", "--to", "eve@example.com", KEY="wr0ng-key")

    assert good.returncode == 0, good.stdout + good.stderr
    assert "✓ login" in good.stdout
    assert "✓ mail     taken as " in good.stdout
    assert [mail.recipient for mail in InboxRecord(tmp_path / "record").mails()] == ["eve@example.com"]
    assert wrong.returncode == 1
    assert "✗ login" in wrong.stdout
    assert "wr0ng-key" not in wrong.stdout + wrong.stderr


def test_a_wrong_password_is_found_and_no_mail_is_tried(check: Outreach, engine: Write, inbox: int,
                                                        tmp_path: Path) -> None:
    """What the server said is told, the secret is not, and the exit code is 1."""
    engine("main", **relay(inbox))
    answer = check("main", "--to", "eve@example.com", KEY="wr0ng")

    assert answer.returncode == 1
    assert "✗ login" in answer.stdout
    assert "535" in answer.stdout
    assert "mail     not tried" in answer.stdout
    assert "wr0ng" not in answer.stdout + answer.stderr
    assert list(InboxRecord(tmp_path / "record").mails()) == []


def test_all_engines_are_checked_whatever_is_wrong_with_one(check: Outreach, engine: Write, inbox: int) -> None:
    """A port where nobody listens and a name that does not exist are found; the others are told all the same."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = taken.getsockname()[1]
    engine("closed", **relay(closed))
    engine("good", **relay(inbox))
    engine("unknown", **relay(587, "relay.invalid") | {"security": "starttls"})
    answer = check("--json", KEY="corr3ct")
    told = {each["id"]: each for each in json.loads(answer.stdout)}

    assert answer.returncode == 1
    assert {name: each["good"] for name, each in told.items()} == {"closed": False, "good": True, "unknown": False}
    assert [each["step"] for each in told["closed"]["findings"] if each["good"] is False] == ["connect"]
    assert [each["step"] for each in told["unknown"]["findings"] if each["good"] is False] == ["dns"]


@pytest.mark.parametrize(("fault", "line"), [
    ("none", "✗ mail     never. It may have arrived all the same"),
    ("raises", "✗ sender   kind odd has a fault of its own: KeyError: '(address)'"),
    ("hangs", "✗ sender   this, or what comes after it, takes more than 0.2 s"),
    ("cannot_be_built", "✗ mail     kind odd has a fault of its own: TypeError: not today"),
    ("never_answers", "✗ mail     send_timeout: no answer within 0.2 s. It may have arrived all the same"),
])
def test_a_kind_with_faults_breaks_nothing(check: Outreach, engine: Write, monkeypatch: pytest.MonkeyPatch,
                                           fault: str, line: str) -> None:
    """Whatever another package's engine does, it is told as a finding, and the next engine is checked."""
    monkeypatch.setitem(registry.BUILT_IN, "odd", "tests.cli.odd_kind")
    monkeypatch.setattr(engine_check, "LIMIT", 0.2)
    engine("first", kind="odd", fault=fault)
    engine("second", kind="memory")
    answer = check("--to", "eve@example.com")

    assert answer.returncode == 1
    assert line in answer.stdout
    assert answer.stdout.count("settings odd it is") == 1, "the catalog's warning, once"
    assert "✓ sender   ann@hazel.example.com and bob@hazel.example.com" in answer.stdout
    assert "second (memory)" in answer.stdout


@pytest.mark.parametrize(("arguments", "says"), [
    (("nonesuch",), "there are: idle"), (("--to", "eve"), "--to"), (("--from", "x"), "--from"),
    (("idle", "--to", "eve@example.com"), "say it with --from"),
])
def test_what_cannot_be_asked_is_2(check: Outreach, tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    """Exit code 2, before anything is connected: an unknown engine, no address, nobody to send the test mail."""
    (tmp_path / "catalog" / "engines").mkdir(parents=True)
    (tmp_path / "catalog" / "engines" / "idle.yaml").write_text("kind: memory", encoding="utf-8")
    answer = check(*arguments)

    assert answer.returncode == 2
    assert says in answer.stderr


def test_a_mistake_elsewhere_hinders_no_check(check: Outreach, engine: Write) -> None:
    """The named engine is checked, with a warning; of all engines, one that cannot be read is something wrong."""
    engine("good", kind="memory")
    engine("broken", kind="memory", hots="x")
    named, every, itself = check("good"), check(), check("broken")

    assert (named.returncode, every.returncode, itself.returncode) == (0, 1, 2)
    assert "engines/broken.yaml: hots" in named.stderr
    assert "good (memory)" in named.stdout
    assert "Running workers keep the settings" in named.stdout
    assert "mend that first" in itself.stderr


def test_where_nothing_is_delivered_nobody_is_sent_to_look(check: Outreach, engine: Write) -> None:
    """A rehearsal takes the test mail, and says that it will not arrive."""
    engine("main", kind="memory")
    answer = check("main", "--to", "eve@example.com")

    assert answer.returncode == 0
    assert "nothing will arrive at eve@example.com" in answer.stdout


def test_what_a_mail_can_live_without_does_not_keep_it(check: Outreach, engine: Write, inbox: int, tmp_path: Path,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    """A DKIM record that is not published is wrong, and the mail is tried all the same."""
    async def missing(signer: Signer) -> Finding:
        return Finding("dns", False, f"{signer.record} has no TXT record")

    monkeypatch.setattr(smtp_check, "record_finding", missing)
    (tmp_path / "key.pem").write_text(pem(rsa()), encoding="utf-8")
    key = {"domain": "hazel.example.com", "selector": "x", "key": f"file:{tmp_path / 'key.pem'}"}
    engine("main", **relay(inbox), dkim=key)
    answer = check("main", "--to", "eve@example.com", KEY="corr3ct")

    assert answer.returncode == 1
    assert "✗ dns      x._domainkey.hazel.example.com" in answer.stdout
    assert "✓ mail     taken" in answer.stdout


def test_ctrl_c_ends_it_at_once(engine: Write, tmp_path: Path) -> None:
    """Even while a server keeps it waiting for its greeting."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        engine("mute", **relay(mute.getsockname()[1]))
        settings = {"OUTREACH_CATALOG": "catalog", "KEY": "x"}
        with running(tmp_path, "engine", "check", settings=settings, stdout=subprocess.PIPE) as process:
            mute.settimeout(30)
            with mute.accept()[0]:
                began = time.monotonic()
                process.send_signal(signal.SIGINT)

                assert process.wait(10) == -signal.SIGINT
                assert time.monotonic() - began < 2
