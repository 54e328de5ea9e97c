"""What SES's answers mean: every error that it documents, and the words that decide where a name does not."""

import json

import pytest
from botocore.session import Session

from outreach_stream.domain.outcomes import (
    Accepted,
    EngineStopped,
    Failure,
    InDoubt,
    MessageRejected,
    RecipientRejected,
    SenderBlocked,
    Throttled,
    Transient,
)
from outreach_stream.engines.http_wire import Answer
from outreach_stream.engines.ses_answers import BY_WORDS, COMMON, RULES, SEND_EMAIL, fault, outcome

MODEL = Session().get_service_model("sesv2")


def answer(status: int, name: str = "", words: str = "") -> Answer:
    headers = {"x-amzn-errortype": name} if name else {}
    return Answer(status, headers, json.dumps({"message": words}).encode())


API = "https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html"
QUOTAS = "https://docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas-errors.html"
WORDS = "https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html"
COMMON_ERRORS = "https://docs.aws.amazon.com/ses/latest/APIReference-V2/CommonErrors.html"
SIGNING = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html"
V1 = "https://docs.aws.amazon.com/ses/latest/DeveloperGuide/api-error-codes.html"

UNVERIFIED = ("Email address is not verified. The following identities failed the check in region EU-WEST-1: "
              "Joe <joe.bloggs@example.com>, other@r.example")

DOCUMENTED = [
    (429, "TooManyRequestsException", "Too many requests have been made to the operation.", Throttled, "", API),
    (429, "TooManyRequestsException", "Maximum sending rate exceeded.", Throttled, "ses_sending_rate", QUOTAS),
    (400, "ThrottlingException", "Maximum sending rate exceeded", Throttled, "ses_sending_rate", QUOTAS),
    (400, "Throttling", "Daily message quota exceeded", Throttled, "ses_daily_quota", QUOTAS),
    (400, "LimitExceededException", "There are too many instances of the resource type", Throttled, "", API),
    (400, "AccountSuspendedException", "permanently restricted", EngineStopped, "", API),
    (400, "SendingPausedException", "currently paused", EngineStopped, "", API),
    (400, "MessageRejected", "it contains invalid content", MessageRejected, "", API),
    (400, "MessageRejected", UNVERIFIED, EngineStopped, "ses_not_verified", WORDS),
    (400, "MessageRejected", "Sending suspended for this account.", EngineStopped, "ses_sending_paused", WORDS),
    (400, "MessageRejected", "Account is paused.", EngineStopped, "ses_sending_paused", WORDS),
    (400, "MailFromDomainNotVerifiedException", "", EngineStopped, "", API),
    (404, "NotFoundException", "Configuration set <x> does not exist.", EngineStopped, "ses_configuration", API),
    (404, "NotFoundException", "The resource you attempted to access doesn't exist.", EngineStopped, "", API),
    (400, "BadRequestException", "The input you provided is invalid.", MessageRejected, "", API),
    (400, "BadRequestException", "Missing final '@domain'", RecipientRejected, "ses_address", WORDS),
    (400, "BadRequestException", "Domain contains illegal character", RecipientRejected, "ses_address", WORDS),
    (400, "BadRequestException", "Illegal address", RecipientRejected, "ses_address", WORDS),
    (400, "InvalidParameterValue", "Duplicate header 'Subject'.", MessageRejected, "", V1),
    (400, "ConfigurationSetDoesNotExist", "", EngineStopped, "", V1),
    (403, "ExpiredTokenException", "The security token included in the request is expired", EngineStopped, "", SIGNING),
    (403, "InvalidSignatureException", "The signature we calculated does not match", EngineStopped, "", SIGNING),
    (403, "SignatureDoesNotMatch", "Signature expired: 20261124T190000Z is now earlier than 20261124T191500Z",
     EngineStopped, "ses_clock", SIGNING),
    (403, "InvalidSignatureException", "Signature not yet current: 20261124T190000Z is still later than",
     EngineStopped, "ses_clock", SIGNING),
    (403, "UnrecognizedClientException", "The security token is invalid.", EngineStopped, "", COMMON_ERRORS),
    (403, "AccessDeniedException", "User x is not authorized to perform ses:SendRawEmail", EngineStopped, "",
     COMMON_ERRORS),
    (403, "InvalidClientTokenId", "", EngineStopped, "", V1),
    (400, "RequestExpired", "", EngineStopped, "", COMMON_ERRORS),
    (400, "ValidationError", "", MessageRejected, "", COMMON_ERRORS),
    (500, "InternalFailure", "", Transient, "", COMMON_ERRORS),
    (503, "ServiceUnavailable", "", Transient, "", COMMON_ERRORS),
    (503, "SlowDown", "", Throttled, "", "https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html"),
]


@pytest.mark.parametrize(("status", "name", "words", "meaning", "reason", "source"), DOCUMENTED)
def test_every_documented_answer(status, name, words, meaning, reason, source):
    """An error means what its source says, and its reason counts it by its name, or by what its words say."""
    found = outcome(answer(status, name, words))
    assert type(found) is meaning, source
    assert found.reason == (reason or f"ses_{name}") and (found.detail or not words)


@pytest.mark.parametrize("error", MODEL.operation_model("SendEmail").error_shapes, ids=lambda error: error.name)
def test_every_error_of_the_operation_is_known(error):
    """What AWS's own description of SendEmail says it may raise has a rule, whatever its words."""
    assert error.error_code in SEND_EMAIL
    found = outcome(answer(error.metadata["error"]["httpStatusCode"], error.error_code))
    assert isinstance(found, Failure) and found.reason == f"ses_{error.error_code}"
    assert type(found) is SEND_EMAIL[error.error_code].meaning


def test_the_table_holds_nothing_else():
    """No error of the operation's table has left the operation, and none is in both."""
    assert SEND_EMAIL.keys() == {error.error_code for error in MODEL.operation_model("SendEmail").error_shapes}
    assert not SEND_EMAIL.keys() & COMMON.keys()
    decided = {rule for _, rule in BY_WORDS}
    assert all(rule.reason for rule in decided), "what words decide is counted under a name of its own"


def test_what_lasts_is_waited_for():
    """A day's quota frees slowly; a rate that was exceeded is left to the throttle."""
    assert outcome(answer(400, "ThrottlingException", "Daily message quota exceeded")).retry_after >= 600
    assert outcome(answer(400, "LimitExceededException")).retry_after >= 600
    assert outcome(answer(429, "TooManyRequestsException", "Maximum sending rate exceeded.")).retry_after is None


def test_a_clock_that_is_wrong_is_said_to_be():
    """What to do stands behind SES's words."""
    assert "clock" in outcome(answer(400, "RequestExpired", "Request has expired.")).detail
    assert "clock" in outcome(answer(403, "InvalidSignatureException", "Signature expired: 1 is earlier")).detail


@pytest.mark.parametrize(("status", "meaning"), [
    (302, EngineStopped), (400, SenderBlocked), (401, EngineStopped), (403, EngineStopped), (404, EngineStopped),
    (405, EngineStopped), (408, Transient), (413, MessageRejected), (415, EngineStopped), (429, Throttled),
    (500, Transient), (502, Transient), (503, Transient), (504, InDoubt), (524, InDoubt)])
def test_an_answer_without_a_name(status, meaning):
    """It is not SES that speaks, or not as ever: the status decides, and of some nobody knows."""
    found = outcome(Answer(status, {}, b"<html>no</html>"))
    assert type(found) is meaning and found.reason == f"send_{status}"


@pytest.mark.parametrize("name", ["ThrottlingException", "AccessDeniedException", "AccountSuspendedException"])
@pytest.mark.parametrize("shape", [
    lambda name: Answer(400, {"x-amzn-errortype": f"{name}:http://internal.amazon.com/coral/com.amazon.coral/"}, b""),
    lambda name: Answer(400, {}, json.dumps({"__type": f"com.amazonaws.ses#{name}", "message": "no"}).encode()),
    lambda name: Answer(400, {}, json.dumps({"code": name, "Message": "no"}).encode()),
    lambda name: Answer(400, {}, f'<ErrorResponse xmlns="x"><Error><Type>Sender</Type><Code>{name}</Code><Message>no'
                                 f"</Message></Error></ErrorResponse>".encode()),
])
def test_the_name_is_found_wherever_it_stands(name, shape):
    """In the header, in the body, with a namespace or an address, in XML."""
    assert fault(shape(name)).name == name and type(outcome(shape(name))) is RULES[name].meaning


def test_a_yes_has_an_id():
    """The provider's id is kept; a yes without one leaves it open what happened."""
    assert outcome(Answer(200, {}, b'{"MessageId": "0100-1"}')) == Accepted("0100-1")
    for body in (b"", b"{}", b'{"MessageId": ""}', b'{"MessageId": 7}', b"[]", b"<html></html>"):
        assert isinstance(outcome(Answer(200, {}, body)), InDoubt)


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"null", b'{"message": 7, "__type": []}', b"[" * 5_000])
def test_no_answer_is_without_a_meaning(body):
    """Whatever comes, there is an outcome, counted by its status."""
    for status in range(200, 600):
        found = outcome(Answer(status, {"x-amzn-errortype": "No such: thing#"}, body))
        assert isinstance(found, Failure)
        assert found.reason == ("send_unclear_answer" if status < 300 else f"send_{status}")


def test_no_address_survives():
    """SES repeats the identities that it misses."""
    found = outcome(answer(400, "MessageRejected", UNVERIFIED))
    assert "@" not in found.detail and "joe.bloggs" not in found.detail and "Verify" in found.detail
