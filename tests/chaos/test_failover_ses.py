"""SES throttles, and then suspends the account, in mid-run: the rest goes out by SMTP, and each is mailed once."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from email.utils import parseaddr

import aiohttp
import pytest
from aiohttp import web
from botocore.session import Session
from moto.server import ThreadedMotoServer
from moto.ses.models import ses_backends

from outreach_stream.domain.states import RunState

from .verdict import check_whole

ENGINE = """\
kind: ses
region: eu-west-1
base_url: env:CHAOS_SES_URL
access_key_id: AKIACHAOS
secret_access_key: env:CHAOS_SES_SECRET
"""
ACCOUNT = {"SendingEnabled": True, "EnforcementStatus": "HEALTHY", "ProductionAccessEnabled": True,
           "SendQuota": {"Max24HourSend": -1.0, "MaxSendRate": 80.0, "SentLast24Hours": 0.0}}
PEOPLE, THROTTLED_AFTER, SUSPENDED_AFTER, THROTTLED_SECONDS = 240, 60, 120, 2.0


class Ses:
    """moto behind a proxy that hands requests on until it is told otherwise by what it has counted."""

    def __init__(self, moto: str) -> None:
        self._moto = moto
        self.answers: Counter[int | str] = Counter()
        self._throttled_until: float | None = None

    async def serve(self, request: web.Request) -> web.Response:
        """One answer; moto knows no GetAccount."""
        if request.method == "GET":
            self.answers["account"] += 1
            return web.json_response(ACCOUNT)
        error = self._refusal()
        if error is not None:
            status, name, words = error
            self.answers[name] += 1
            return web.json_response({"message": words}, status=status, headers={"x-amzn-ErrorType": name})
        self.answers["handed on"] += 1
        headers = {name: request.headers[name] for name in ("Host", "Content-Type", "X-Amz-Date", "Authorization")}
        async with aiohttp.ClientSession() as session, session.post(
                self._moto + request.path, data=await request.read(), headers=headers) as answer:
            return web.Response(status=answer.status, body=await answer.read())

    def _refusal(self) -> tuple[int, str, str] | None:
        now = asyncio.get_running_loop().time()
        if self.answers["handed on"] >= SUSPENDED_AFTER:
            return 400, "AccountSuspendedException", "The account's ability to send is permanently restricted."
        if self.answers["handed on"] >= THROTTLED_AFTER and self._throttled_until is None:
            self._throttled_until = now + THROTTLED_SECONDS
        if self._throttled_until is not None and now < self._throttled_until:
            return 429, "TooManyRequestsException", "Maximum sending rate exceeded."
        return None

    def names(self) -> dict[str, str]:
        """Whom moto took a mail for, by the mail's id."""
        return {message.id: parseaddr(message.destinations[0])[1]
                for message in ses_backends["123456789012"]["eu-west-1"].sent_messages}

    def mails(self) -> dict[str, int]:
        """How many mails each address got here."""
        return dict(Counter(self.names().values()))


@asynccontextmanager
async def proxied(moto: str):
    """The proxy, and its address."""
    ses, app = Ses(moto), web.Application()
    app.router.add_route("*", "/{tail:.*}", ses.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield ses, f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
    finally:
        await runner.cleanup()


@pytest.fixture
def moto():
    """An SES that is not ours; `example.com` is verified."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    client = Session().create_client("sesv2", "eu-west-1", endpoint_url=url, aws_access_key_id="x",
                                     aws_secret_access_key="x")
    client.create_email_identity(EmailIdentity="example.com")
    yield url
    ses_backends["123456789012"]["eu-west-1"].reset()
    server.stop()


async def test_the_rest_goes_out_by_smtp(system, moto):
    """Throttled, SES is waited for, and nobody is asked of another; suspended, it is left. Each is mailed once."""
    running = await system()
    async with proxied(moto) as (ses, url):
        running.workers.environment |= {"CHAOS_SES_URL": url, "CHAOS_SES_SECRET": "chaos-ses-secret"}
        (running.catalog / "engines/ses.yaml").write_text(ENGINE)
        people = running.people(PEOPLE, engines="ses, relay", extra="on_engine_stopped: failover\n")
        running.start()
        run = await running.trigger()
        await running.until(lambda: ses.answers["TooManyRequestsException"] > 0, 60, lambda: f"{ses.answers}")
        assert running.received() == 0
        status = await running.completed(run)
        by_ses = ses.mails()

    by_smtp, entries = running.arrived().recipients(), running.log(status)["recipients"]
    assert status.state is RunState.COMPLETED and status.counts.sent == len(people)
    check_whole(running, status, people, in_flight=0, at=(ses,))
    assert by_ses.keys() | by_smtp.keys() == people and not by_ses.keys() & by_smtp.keys()
    assert set(by_ses.values()) | set(by_smtp.values()) == {1} and len(by_ses) == SUSPENDED_AFTER
    assert all(entry["attempts"] == 1 for entry in entries), "throttles and suspensions cost nobody an attempt"
    told = {entry["provider_message_id"]: entry["email"] for entry in entries if entry["email"] in by_ses}
    assert told == ses.names(), "the log has SES's names of the mails"
    assert 1 <= ses.answers["AccountSuspendedException"] <= 20
