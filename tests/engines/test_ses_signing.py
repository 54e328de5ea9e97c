"""The signature: the same that botocore's own client writes; keys that are read, renewed and replaced in time."""

import asyncio
import os
import re
import threading
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import ReadOnlyCredentials, RefreshableCredentials
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError
from botocore.session import Session

from outreach_stream.confidential import hide
from outreach_stream.engines import ses_signing
from outreach_stream.engines.failures import MisconfiguredEngine
from outreach_stream.engines.http_config import Origin
from outreach_stream.engines.http_wire import Request
from outreach_stream.engines.ses import Ses
from outreach_stream.engines.ses_signing import Signer, found, given, signed
from outreach_stream.values import SecretRef, UnresolvedReference

from .ses_stage import CONTENT, SECRET, config, mail

NOW = datetime(2026, 11, 24, 19, 30, 0)  # noqa: DTZ001 - as botocore has it
ORIGIN = Origin("https://email.eu-west-1.amazonaws.com")
SDK = ("amz-sdk-invocation-id", "amz-sdk-request")
"""What botocore's client adds, and signs, for AWS's statistics."""


@pytest.fixture(autouse=True)
def time_stands(monkeypatch):
    monkeypatch.setenv("SES_SECRET", SECRET)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *_: NOW)


def by_botocore(operation: str, token: str | None = None, **arguments) -> AWSRequest:
    """The request that botocore's client would send; it does not come to that."""
    class Caught(Exception):  # noqa: N818
        pass

    client = Session().create_client("sesv2", "eu-west-1", aws_access_key_id="AKIDEXAMPLE", aws_session_token=token,
                                     aws_secret_access_key=SECRET, config=Config(retries={"total_max_attempts": 1}))
    caught = []

    def catch(request, **_):
        caught.append(request)
        raise Caught
    client.meta.events.register("before-send", catch)
    with pytest.raises(Caught):
        getattr(client, operation)(**arguments)
    return caught[0]


def same_signature(theirs: AWSRequest, ours: Request, token: str | None) -> None:
    """Ours is what botocore writes for its own request without the headers that only its client has."""
    kept = {name: value.decode() if isinstance(value, bytes) else value for name, value in theirs.headers.items()
            if name.lower() in ("content-type", "host")}
    plain = AWSRequest(theirs.method, theirs.url, kept, theirs.body)
    SigV4Auth(ReadOnlyCredentials("AKIDEXAMPLE", SECRET, token), "ses", "eu-west-1").add_auth(plain)
    assert plain.headers["Authorization"] == ours.headers["Authorization"]
    assert plain.headers["X-Amz-Date"] == ours.headers["X-Amz-Date"] == "20261124T193000Z"
    scope_and_headers = re.compile("(Credential=.*), Signature=")
    written = re.sub(f"({'|'.join(SDK)});", "", theirs.headers["Authorization"].decode())
    assert scope_and_headers.search(written)[1] == scope_and_headers.search(ours.headers["Authorization"])[1]


@pytest.mark.parametrize("token", [None, "a-token=="])
async def test_a_mail_is_signed_as_botocore_signs_it(monkeypatch, token):
    """The same place, the same body, the same signature at the same moment."""
    monkeypatch.setenv("SES_TOKEN", token or "")
    ses = Ses(config(session_token="env:SES_TOKEN" if token else None, configuration_set="events"))
    await ses._signer.prepare(ORIGIN)
    ours = ses.request(mail(tags=("spring",)))
    theirs = by_botocore("send_email", token, FromEmailAddress="=?utf-8?b?TsOkd3M=?= <news@example.com>",
                         Destination={"ToAddresses": ["r@r.example"]}, EmailTags=[{"Name": "tag", "Value": "spring"}],
                         Content={"Raw": {"Data": CONTENT}}, ConfigurationSetName="events")
    assert theirs.url == ORIGIN.url + ours.path and theirs.method == ours.method
    assert theirs.body.replace(b": ", b":").replace(b", ", b",") == ours.body
    same_signature(AWSRequest(theirs.method, theirs.url, theirs.headers, ours.body), ours, token)
    assert ours.headers.get("X-Amz-Security-Token") == token


@pytest.mark.parametrize("identity", ["news@example.com", "o'hara+x%y@example.com", "münchen.example"])
async def test_a_question_is_signed_as_botocore_signs_it(identity):
    """Paths are encoded once to travel, and once more to be signed."""
    ours = signed(Request("GET", f"/v2/email/identities/{quote(identity, safe='')}"), ORIGIN, "eu-west-1",
                  ReadOnlyCredentials("AKIDEXAMPLE", SECRET, None))
    theirs = by_botocore("get_email_identity", EmailIdentity=identity)
    assert theirs.url == ORIGIN.url + ours.path
    same_signature(AWSRequest(theirs.method, theirs.url, theirs.headers, theirs.body), ours, None)


def test_the_host_is_signed_as_it_is_sent():
    """A stand-in's port, and a VPC's name for the API, are part of it."""
    for url in ("http://127.0.0.1:4566", "https://vpce-1.email.eu-west-1.vpce.amazonaws.com:443"):
        request = signed(Request("GET", "/"), Origin(url), "eu-west-1", ReadOnlyCredentials("x", "y", None))
        assert request.headers["Host"] == url.partition("//")[2] and "host;" in request.headers["Authorization"]


def test_the_catalogs_keys_are_read_anew(tmp_path, monkeypatch):
    """A replaced file counts from the next reading; a missing one says which."""
    file = tmp_path / "secret"
    file.write_text("first-secret\n")
    monkeypatch.setenv("KEY_ID", "AKID")
    read = given("env:KEY_ID", SecretRef(f"file:{file}"), None)
    assert read() == ("AKID", "first-secret", None, None)
    file.write_text("second-secret\n")
    assert read().secret_key == "second-secret"
    file.unlink()
    with pytest.raises(UnresolvedReference, match=str(file)):
        read()


@pytest.fixture
def aws(monkeypatch, tmp_path):
    """Nothing of AWS's is to be found on this machine."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    return monkeypatch


def test_botocore_finds_the_keys(aws, tmp_path):
    """Environment or file, and the one that is there now; the secret is hidden from then on."""
    read = found()
    with pytest.raises(MisconfiguredEngine, match="no AWS credentials"):
        read()
    (tmp_path / "AWS_SHARED_CREDENTIALS_FILE").write_text(
        "[default]\naws_access_key_id = A1\naws_secret_access_key = secret-of-the-file\n")
    assert read()[:2] == ("A1", "secret-of-the-file")
    aws.setenv("AWS_ACCESS_KEY_ID", "A2")
    aws.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-environment")
    assert read()[:2] == ("A2", "secret-of-the-environment")
    assert hide("secret-of-the-file secret-of-the-environment") == "(secret) (secret)"


def test_a_profile_that_is_not_there_stops_the_engine(aws):
    """It says which."""
    aws.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(MisconfiguredEngine, match="nobody"):
        found()()


class Role(Session):
    """A role's keys: good for so many seconds, by the clock of this machine."""

    renewed, lasts, fails = 0, 3_600.0, False

    def get_credentials(self):
        return RefreshableCredentials.create_from_metadata(self.keys(), self.keys, "test")

    def keys(self):
        assert threading.current_thread() is not threading.main_thread(), "whoever asks a role may wait for it"
        if Role.fails:
            raise RuntimeError("the role does not answer")
        Role.renewed += 1
        end = datetime.now(UTC) + timedelta(seconds=Role.lasts)
        return {"access_key": f"A{Role.renewed}", "secret_key": "s", "token": "t", "expiry_time": end.isoformat()}


@pytest.fixture
def role(monkeypatch):
    for name, value in (("renewed", 0), ("lasts", 3_600.0), ("fails", False)):
        monkeypatch.setattr(Role, name, value)
    return Role


def key_of(signer: Signer) -> str:
    return signer.sign(Request("GET", "/")).headers["Authorization"].partition("Credential=")[2].partition("/")[0]


async def test_keys_that_expire_are_renewed_beside_the_mails(role, monkeypatch):
    """Signing never waits: it takes the keys at hand, and has them renewed in a thread, long before their end."""
    signer = Signer("eu-west-1", found(Role))
    role.lasts = 800.0  # less than the 15 minutes from which botocore renews
    await asyncio.gather(*(signer.prepare(ORIGIN) for _ in range(5)))
    first = role.renewed
    assert key_of(signer) == f"A{first}" and role.renewed == first, "looked at a moment ago"
    monkeypatch.setattr(ses_signing, "LOOK_SECONDS", -1.0)
    role.lasts = 3_600.0
    assert key_of(signer) == f"A{first}"
    await signer._look
    assert key_of(signer) == f"A{first + 1}"
    await signer._look
    assert role.renewed == first + 1, "those last"


async def test_a_role_that_does_not_answer_leaves_the_keys_at_hand(role, monkeypatch):
    """They may be good for minutes; a new connection without any is told that this may pass."""
    signer = Signer("eu-west-1", found(Role))
    role.lasts = 500.0  # less than the 10 minutes from which botocore insists
    await signer.prepare(ORIGIN)
    before = key_of(signer)
    role.fails = True
    monkeypatch.setattr(ses_signing, "LOOK_SECONDS", -1.0)
    key_of(signer)
    await signer._look
    assert key_of(signer) == before
    await signer._look
    with pytest.raises(ConnectionError, match="does not answer"):
        await Signer("eu-west-1", found(Role)).prepare(ORIGIN)


def told(status: int, code: str) -> ClientError:
    """STS's answer as botocore raises it."""
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "AssumeRole")


@pytest.mark.parametrize(("error", "meaning"), [
    (EndpointConnectionError(endpoint_url="https://sts"), ConnectionError),
    (ConnectTimeoutError(endpoint_url="https://sts"), ConnectionError),
    (told(500, "InternalFailure"), ConnectionError),
    (told(400, "Throttling"), ConnectionError),
    (told(400, "IDPCommunicationError"), ConnectionError),
    (told(403, "AccessDenied"), MisconfiguredEngine),
    (told(400, "ExpiredTokenException"), MisconfiguredEngine),
])
def test_who_gives_the_keys_may_be_away(monkeypatch, error, meaning):
    """That passes: a fuse for it would keep the engine stopped until a person comes. A refusal does not pass."""
    monkeypatch.setattr(Session, "get_credentials", lambda _: (_ for _ in ()).throw(error))

    with pytest.raises(meaning):
        found()()
