"""Kafka that asks who is there: the whole flow over TLS with a login, and what is said to whoever is not let in."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from outreach_stream.broker.errors import AccessRefusedError
from outreach_stream.broker.ready import reached
from outreach_stream.settings import load_settings
from tests.chaos.gateway import gateway
from tests.chaos.system import System
from tests.chaos.workers import ROLES as WORKERS
from tests.kafka.secured import PASSWORD, USER, SecuredBroker, allow

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Iterator[SecuredBroker]:
    """The broker, and an environment by which it is reached."""
    folder = tmp_path_factory.mktemp("secured")
    broker = SecuredBroker(folder, cache_dir)
    (folder / "password").write_text(f"{PASSWORD}\n")
    with pytest.MonkeyPatch.context() as environment, asyncio.Runner() as runner:
        for name, value in {
            "BOOTSTRAP": broker.bootstrap, "SECURITY": "sasl_ssl", "USERNAME": USER,
            "PASSWORD": f"file:{folder / 'password'}", "CA": str(broker.authority.file),
        }.items():
            environment.setenv(f"OUTREACH_KAFKA_{name}", value)
        load_settings.cache_clear()
        runner.run(broker.start())
        yield broker
        runner.run(broker.stop())
    load_settings.cache_clear()


@pytest.fixture
def with_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Has this process's settings changed for a test: `with_settings(PASSWORD="env:OTHER")`; None unsets one."""
    def change(**settings: str | None) -> None:
        for name, value in settings.items():
            if value is None:
                monkeypatch.delenv(f"OUTREACH_KAFKA_{name}", raising=False)
            else:
                monkeypatch.setenv(f"OUTREACH_KAFKA_{name}", value)
        load_settings.cache_clear()
    yield change
    monkeypatch.undo()
    load_settings.cache_clear()


def outreach(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "outreach_stream.cli", *arguments], capture_output=True, text=True,
                          timeout=60, check=False, env=os.environ | settings)


async def test_the_whole_flow_with_a_login_over_tls(secured: SecuredBroker, tmp_path: Path) -> None:
    """Topics, all roles, the gateway and a trigger by HTTP: every client gets in, and the run completes.

    Each process is a user of its own, and may do what `outreach topics acls` says of its role and nothing else.
    """
    await allow(secured.bootstrap)
    created = await asyncio.to_thread(outreach, "topics", "create", OUTREACH_KAFKA_USERNAME="operator")
    assert created.returncode == 0, created.stderr
    async with System(tmp_path, secured.bootstrap) as system:
        people = system.people(50)
        for role in WORKERS:
            system.workers.environment["OUTREACH_KAFKA_USERNAME"] = role
            system.start(role)
        system.workers.environment["OUTREACH_KAFKA_USERNAME"] = "gateway"
        async with httpx.AsyncClient(base_url=await gateway(system), timeout=30, trust_env=False) as client:
            async def accepted() -> httpx.Response:
                while (answer := await client.post("/api/v1/trigger", json={"workflow_id": 1})).status_code == 503:
                    await asyncio.sleep(0.1)
                return answer
            run = (await asyncio.wait_for(accepted(), 30)).json()["run_id"]
            status = await system.completed(run)
            listed = (await client.get(f"/api/v1/runs/{run}/recipients")).json()
            assert {each["email"] for each in listed["recipients"]} == people
            health = (await client.get("/health")).json()
            assert health["roles"] == dict.fromkeys(WORKERS, 1)
            assert (await client.post("/api/v1/engines/relay/stop", json={"reason": "test"})).is_success
        assert status.state == "COMPLETED"
        assert system.arrived().recipients().keys() == people
        assert PASSWORD not in system.workers.tails()
        tail = await asyncio.to_thread(outreach, "events", "tail", "run.status", "-n", "1", "--no-follow", "--json",
                                       OUTREACH_KAFKA_USERNAME="operator")
        assert run in tail.stdout, tail.stderr
        assert not [name for name in system.workers.running if "Authorization" in system.workers.log(name)]


async def test_a_password_may_be_sent_as_it_is_over_tls(secured: SecuredBroker, with_settings) -> None:
    """PLAIN, for brokers that offer nothing else."""
    with_settings(SASL_MECHANISM="PLAIN")

    assert await reached(secured.bootstrap)


async def test_a_client_shows_its_certificate(secured: SecuredBroker, with_settings) -> None:
    """mTLS, and no login: one by the broker's authority lets in, one by another or none does not."""
    good, strange = secured.authority.certificate("client"), secured.stranger.certificate("intruder")
    nobody = {"SECURITY": "ssl", "USERNAME": None, "PASSWORD": None}
    with_settings(CERTIFICATE=str(good[0]), KEY=str(good[1]), **nobody)
    assert await reached(secured.mutual)

    for shown in ({"CERTIFICATE": str(strange[0]), "KEY": str(strange[1])}, {"CERTIFICATE": None, "KEY": None}):
        with_settings(**shown)
        with pytest.raises(AccessRefusedError, match=r"(?s)refuses our certificate.*OUTREACH_KAFKA_CERTIFICATE"):
            await reached(secured.mutual)


@pytest.mark.parametrize(("settings", "words"), [
    ({"PASSWORD": "env:WRONG"}, rf"(?s)refuses the login of {USER} by SCRAM-SHA-512: .*_KAFKA_PASSWORD \(env:W"),
    ({"SASL_MECHANISM": "PLAIN", "USERNAME": "other"}, "(?s)refuses the login of other by PLAIN: .*KAFKA_USERNAME"),
    ({"SASL_MECHANISM": "SCRAM-SHA-256"}, "does not offer OUTREACH_KAFKA_SASL_MECHANISM=SCRAM-SHA-256"),
    ({"CA": "{stranger}"}, "(?s)is not accepted: .*OUTREACH_KAFKA_CA must name .*stranger.pem"),
    ({"CA": None}, r"(?s)is not accepted: .*\(now: what the system trusts\)"),
])
async def test_who_is_not_let_in_is_told_why(secured: SecuredBroker, with_settings, monkeypatch, settings, words):
    """Each by the setting that is to be looked at, and never with a password in it."""
    monkeypatch.setenv("WRONG", "guessed-wrong")
    with_settings(**{name: value and value.format(stranger=secured.stranger.file) for name, value in settings.items()})
    with pytest.raises(AccessRefusedError, match=words) as refused:
        await reached(secured.bootstrap)

    assert "guessed-wrong" not in str(refused.value)


async def test_a_broker_that_is_not_itself_is_told(secured: SecuredBroker, with_settings) -> None:
    """A certificate that has expired, and a name that is not in it: the reason is OpenSSL's own."""
    with pytest.raises(AccessRefusedError, match="is not accepted: Hostname mismatch"):
        await reached(secured.bootstrap.replace("127.0.0.1", "localhost"))
    with_settings(SECURITY="ssl", USERNAME=None, PASSWORD=None)
    with pytest.raises(AccessRefusedError, match="is not accepted: certificate has expired"):
        await reached(secured.stale)


async def test_another_protocol_is_told(secured: SecuredBroker, with_settings) -> None:
    """Who speaks in clear where TLS is spoken, or logs in where nobody asks, hears which setting is wrong."""
    with_settings(SECURITY="sasl_plaintext", CA=None)
    with pytest.raises(AccessRefusedError, match=r"(?s)asks for no login at this port.*_KAFKA_SECURITY is sasl"):
        await reached(secured.inside)
    with_settings(SECURITY="plaintext", USERNAME=None, PASSWORD=None)
    with pytest.raises(AccessRefusedError, match=r"(?s)speaks TLS.*OUTREACH_KAFKA_SECURITY is plaintext"):
        await reached(secured.bootstrap)


def test_a_wrong_password_ends_a_worker_at_once(secured: SecuredBroker) -> None:
    """With exit code 3 and the variable's name, not after the patience that a broker away would have."""
    answer = outreach("worker", "sender", OUTREACH_KAFKA_PASSWORD="env:WRONG", WRONG="guessed-wrong")

    assert answer.returncode == 3
    assert "OUTREACH_KAFKA_PASSWORD (env:WRONG)" in answer.stderr
    assert "guessed-wrong" not in answer.stderr
    assert "broker_awaited" not in answer.stderr


def test_a_password_that_is_not_there_is_a_wrong_setting(secured: SecuredBroker) -> None:
    """Exit code 2, before anybody is asked anything."""
    answer = outreach("topics", "check", OUTREACH_KAFKA_PASSWORD="env:NOT_SET_ANYWHERE")

    assert answer.returncode == 2
    assert "OUTREACH_KAFKA_PASSWORD: environment variable NOT_SET_ANYWHERE is not set" in answer.stderr
