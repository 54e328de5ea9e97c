"""Replies and what they mean. The texts are in the words that providers are known to use; addresses are made up."""

import pytest

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
from outreach_stream.engines.smtp_replies import Phase, Reply, classify, queue_id, retry_after

SESSION = [Phase.CONNECT, Phase.GREETING, Phase.EHLO, Phase.STARTTLS, Phase.AUTH]
FINAL = (RecipientRejected, MessageRejected, SenderBlocked)


def meaning(phase: Phase, code: int, text: str):
    return classify(phase, code, Reply(code, text).enhanced, text)


@pytest.mark.parametrize("phase", Phase)
def test_every_code_means_something_at_every_phase(phase):
    """No code is left out: a 4xx never ends a recipient, a 5xx is never accepted, none is in doubt."""
    for code in range(400, 500):
        assert type(classify(phase, code, None, "")) is Transient
    for code in range(500, 600):
        outcome = classify(phase, code, None, "")
        assert isinstance(outcome, Failure)
        assert not isinstance(outcome, InDoubt | Throttled)


@pytest.mark.parametrize("phase", Phase)
def test_every_enhanced_code_means_something_at_every_phase(phase):
    """The table of enhanced codes has no holes either, whatever a server makes up."""
    for subject in range(12):
        for detail in range(40):
            assert isinstance(classify(phase, 550, f"5.{subject}.{detail}", ""), Failure)
            assert type(classify(phase, 450, f"4.{subject}.{detail}", "")) is Transient


@pytest.mark.parametrize("phase", SESSION)
def test_a_refused_session_never_ends_a_recipient(phase):
    """Before MAIL nobody in particular is refused: recipients wait, the engine stops."""
    for code in range(500, 600):
        assert classify(phase, code, "5.7.1", "blocked").final_status is None


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("code", [-1, 0, 99, 100, 220, 250, 251, 334, 354, 399, 600, 999])
def test_a_reply_out_of_step_is_in_doubt_only_after_the_dot(phase, code):
    """A code that nobody waits for accepts nothing before the final dot; after it, it proves nothing."""
    outcome = classify(phase, code, None, "what?")
    if phase is Phase.DOT:
        assert type(outcome) is (Accepted if code in (220, 250, 251) else InDoubt)
    else:
        assert type(outcome) is Transient


REAL = [
    (Phase.GREETING, 421, "4.7.0 [192.0.2.1] Our system has detected an unusual rate of unsolicited mail", Throttled),
    (Phase.GREETING, 554, "5.7.1 Service unavailable; Client host blocked", EngineStopped),
    (Phase.GREETING, 421, "too many concurrent SMTP connections; please try again later.", Throttled),
    (Phase.AUTH, 454, "4.7.0 Temporary authentication failure", Transient),
    (Phase.AUTH, 535, "Authentication Credentials Invalid", EngineStopped),
    (Phase.AUTH, 535, "5.7.8 Username and Password not accepted", EngineStopped),
    (Phase.STARTTLS, 454, "4.7.0 TLS not available due to local problem", Transient),
    (Phase.MAIL, 530, "5.7.0 Must issue a STARTTLS command first", EngineStopped),
    (Phase.MAIL, 530, "Authentication required", EngineStopped),
    (Phase.MAIL, 552, "5.3.4 Message size exceeds fixed limit", MessageRejected),
    (Phase.MAIL, 553, "5.7.1 Sender address rejected: not owned by user", SenderBlocked),
    (Phase.MAIL, 503, "5.5.1 Error: nested MAIL command", Transient),
    (Phase.RCPT, 450, "4.2.1 The user you are trying to contact is receiving mail at a rate that exceeds", Transient),
    (Phase.RCPT, 451, "4.7.1 Greylisting in action, please come back in 300 seconds", Transient),
    (Phase.RCPT, 452, "4.5.3 Error: too many recipients", Transient),
    (Phase.RCPT, 552, "too many recipients", Transient),
    (Phase.RCPT, 552, "5.2.2 The email account that you tried to reach is over quota", RecipientRejected),
    (Phase.RCPT, 550, "5.1.1 The email account that you tried to reach does not exist.", RecipientRejected),
    (Phase.RCPT, 550, "No such user here", RecipientRejected),
    (Phase.RCPT, 556, "5.1.10 Recipient address has null MX", RecipientRejected),
    (Phase.RCPT, 554, "5.7.1 Relay access denied", SenderBlocked),
    (Phase.RCPT, 550, "5.7.17 Mailbox owner has changed", RecipientRejected),
    (Phase.RCPT, 421, "4.7.0 Error: too many errors", Transient),
    (Phase.RCPT, 450, "4.7.1 Error: too much mail, rate limit exceeded", Throttled),
    (Phase.DATA, 554, "5.5.1 Error: no valid recipients", MessageRejected),
    (Phase.DOT, 454, "Throttling failure: Maximum sending rate exceeded.", Throttled),
    (Phase.DOT, 454, "Throttling failure: Daily message quota exceeded.", Throttled),
    (Phase.DOT, 550, "5.4.5 Daily user sending limit exceeded.", Throttled),
    (Phase.DOT, 452, "4.3.1 Insufficient system storage", Transient),
    (Phase.DOT, 552, "5.2.2 Mailbox full", RecipientRejected),
    (Phase.DOT, 552, "5.7.0 This message was blocked because its content presents a potential security issue",
     MessageRejected),
    (Phase.DOT, 554, "5.6.0 Message contains invalid header", MessageRejected),
    (Phase.DOT, 554, "Message rejected: Email address is not verified.", EngineStopped),
    (Phase.DOT, 550, "5.7.1 [192.0.2.1] Our system has detected that this message is likely spam", SenderBlocked),
    (Phase.DOT, 421, "4.3.2 Service shutting down", Transient),
    (Phase.CONNECT, 421, "4.4.5 Server busy, try again later.", Transient),
    (Phase.GREETING, 421, "4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume",
     Throttled),
    (Phase.GREETING, 421, "RP-001 We have limits for how many messages can be sent per hour and per day.", Throttled),
    (Phase.MAIL, 451, "4.7.500 Server busy. Please try again later from [192.0.2.1]. (S77719)", Throttled),
    (Phase.MAIL, 451, "4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation.",
     Throttled),
    (Phase.MAIL, 451, "4.7.652 The mail server [192.0.2.1] has exceeded the maximum number of connections.", Throttled),
    (Phase.MAIL, 432, "4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/…", Throttled),
    (Phase.DOT, 432, "4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded", Throttled),
    (Phase.DOT, 432, "4.3.2 STOREDRV.Deliver; recipient thread limit exceeded", Transient),
    (Phase.DOT, 554, "5.2.2 Submission quota exceeded", Throttled),
    (Phase.RCPT, 550, "5.1.90 Your message can't be sent because you've reached your daily limit for recipients",
     Throttled),
    (Phase.RCPT, 450, "too frequent connects from 192.0.2.1, please try again later.", Throttled),
    (Phase.RCPT, 450, "4.2.1 Peak SMTP relay limit exceeded for customer.", Throttled),
    (Phase.RCPT, 550, "5.7.1 Daily SMTP relay limit exceeded for customer.", Throttled),
    (Phase.RCPT, 452, "4.2.2 The recipient's inbox is out of storage space.", Transient),
    (Phase.RCPT, 552, "Requested mail action aborted: exceeded storage allocation", RecipientRejected),
    (Phase.DOT, 550, "5.7.705 Access denied, tenant has exceeded threshold.", SenderBlocked),
    (Phase.DOT, 550, "5.7.28 Mail flood detected", SenderBlocked),
    (Phase.DOT, 550, "5.7.27 Sender address has null MX", SenderBlocked),
    (Phase.DOT, 451, "Temporary service failure", Transient),
    (Phase.DOT, 554, "Message rejected: Sending paused for this account.", EngineStopped),
    (Phase.DOT, 554, "Access denied: User `arn:aws:iam::1:user/x' is not authorized to perform `ses:SendRawEmail'",
     EngineStopped),
    (Phase.DOT, 550, "The from address does not match a verified Sender Identity.", EngineStopped),
    # Gmail: support.google.com/a/answer/3726730
    (Phase.AUTH, 454, "4.7.0 Too many login attempts, please try again later.", Transient),
    (Phase.AUTH, 534, "5.7.9 Application-specific password required.", EngineStopped),
    (Phase.MAIL, 530, "5.5.1 Authentication Required.", EngineStopped),
    (Phase.RCPT, 450, "4.2.1 The user you are trying to contact is receiving mail too quickly.", Transient),
    (Phase.RCPT, 553, "5.1.2 We weren't able to find the recipient domain.", RecipientRejected),
    (Phase.RCPT, 550, "5.2.1 The email account that you tried to reach is disabled.", RecipientRejected),
    (Phase.DOT, 421, "4.7.0 IP not in whitelist for RCPT domain, closing connection.", Transient),
    (Phase.DOT, 421, "4.7.30 Your email has been rate limited because DKIM authentication didn't pass.", Throttled),
    (Phase.DOT, 550, "5.7.26 Unauthenticated email is not accepted due to domain's DMARC policy.", SenderBlocked),
    (Phase.DOT, 550, "5.7.25 The IP address sending this message does not have a PTR record setup.", SenderBlocked),
    (Phase.DOT, 550, "5.7.1 The IP you're using to send mail is not authorized", SenderBlocked),
    (Phase.DOT, 552, "5.3.4 Your message exceeded Google's message size limits.", MessageRejected),
    # Exchange Online: learn.microsoft.com, non-delivery-reports-in-exchange-online and fix-issues-with-printers-…
    (Phase.AUTH, 535, "5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.",
     EngineStopped),
    (Phase.MAIL, 530, "5.7.57 Client not authenticated to send mail.", EngineStopped),
    (Phase.DOT, 550, "5.7.60 SMTP; Client does not have permissions to send as this sender", EngineStopped),
    (Phase.DOT, 554, "5.2.252 SendAsDenied; robot not allowed to send as news; STOREDRV.Submission.Exception",
     EngineStopped),
    (Phase.DOT, 550, "5.7.233 … your tenant exceeded its daily limit for sending email to external recipients …",
     Throttled),
    (Phase.DOT, 550, "5.7.232 … your trial tenant has exceeded its daily limit for sending email to external …",
     Throttled),
    (Phase.DOT, 550, "5.7.708 Service unavailable. Access denied, traffic not accepted from this IP.", SenderBlocked),
    (Phase.RCPT, 550, "5.1.8 Access denied, bad outbound sender.", SenderBlocked),
    (Phase.RCPT, 550, "5.4.1 Recipient address rejected: Access denied.", RecipientRejected),
    # Yahoo: senders.yahooinc.com/smtp-error-codes
    (Phase.GREETING, 553, "5.7.1 [BL21] Connections will not be accepted from 192.0.2.1", EngineStopped),
    (Phase.DOT, 554, "5.7.9 Message not accepted for policy reasons.", SenderBlocked),
    (Phase.DOT, 552, "1 Requested mail action aborted, mailbox not found", RecipientRejected),
    (Phase.DOT, 554, "delivery error: dd This user doesn't have a yahoo.com account", RecipientRejected),
    (Phase.DOT, 554, "30 Sorry, your message cannot be delivered. This mailbox is disabled (554.30).",
     RecipientRejected),
    (Phase.MAIL, 451, "Resources temporarily unavailable. Please try again later [#4.16.1].", Transient),
    (Phase.RCPT, 450, "User is receiving mail too quickly", Transient),
    # SendGrid: twilio.com/docs/sendgrid/for-developers/sending-email/smtp-errors-and-troubleshooting
    (Phase.DOT, 403, "You are not authorized to send from that email address", EngineStopped),
    (Phase.AUTH, 451, "Authentication failed: Maximum credits exceeded", EngineStopped),
    (Phase.DOT, 451, "Temporary local problem - please try later", Transient),
    (Phase.MAIL, 550, "Unauthenticated senders not allowed", EngineStopped),
    (Phase.DOT, 550, "Authenticated user is not authorized to send mail", EngineStopped),
    (Phase.AUTH, 535, "Authentication failed: Bad username / password", EngineStopped),
    # SES: docs.aws.amazon.com/ses/latest/dg/troubleshoot-smtp.html
    (Phase.MAIL, 501, "Invalid MAIL FROM address provided", SenderBlocked),
    (Phase.DOT, 451, "Timeout waiting for data from client.", Transient),
    (Phase.DOT, 554, "Transaction failed: Duplicate header 'Message-ID'.", MessageRejected),
    (Phase.MAIL, 421, "Too many concurrent SMTP connections", Throttled),
    # Mailgun: help.mailgun.com, "My domain has been disabled"; its login's words
    (Phase.AUTH, 535, "5.7.0 Mailgun is not loving your login or password", EngineStopped),
    (Phase.DOT, 550, "5.7.1 Domain s.example is not allowed to send: Account Terminated", EngineStopped),
    # SMTP2GO: support.smtp2go.com, "Common Sending Errors"; Emailit: emailit.com/docs/smtp/troubleshooting
    (Phase.RCPT, 550, "Relay access denied - please authenticate", EngineStopped),
    (Phase.DOT, 550, "From header sender domain not verified", EngineStopped),
    (Phase.MAIL, 452, "4.4.5 Messages per second limit exceeded", Throttled),
    (Phase.MAIL, 452, "4.5.3 Daily message limit exceeded", Throttled),
    # A relay that does not know us, in Exim's and Postfix's words
    (Phase.RCPT, 550, "relay not permitted", SenderBlocked),
    (Phase.RCPT, 454, "4.7.1 Relay access denied", Transient),
    (Phase.DOT, 550, "No such user here", RecipientRejected),
    # A relay that takes nothing from this host, in Exim's, qmail's and others' words: nobody's address is bad
    (Phase.RCPT, 550, "rejected because 192.0.2.1 is in a black list at zen.spamhaus.org", SenderBlocked),
    (Phase.RCPT, 554, "Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", SenderBlocked),
    (Phase.RCPT, 550, "Sender verify failed", SenderBlocked),
    (Phase.RCPT, 553, "sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", SenderBlocked),
    (Phase.RCPT, 550, "Your IP 192.0.2.1 is blacklisted", SenderBlocked),
    (Phase.RCPT, 550, "Authentication is required for relay", SenderBlocked),
    (Phase.DOT, 554, "rejected due to the sending MTA's poor reputation", SenderBlocked),
    # One address that we may not write to, or that nobody knows, stops no engine
    (Phase.RCPT, 550, "5.7.1 You are not authorized to send to this distribution list", SenderBlocked),
    (Phase.RCPT, 550, "5.1.1 Recipient address not verified", RecipientRejected),
    (Phase.RCPT, 550, "5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required", SenderBlocked),
]


@pytest.mark.parametrize(("phase", "code", "text", "expected"), REAL)
def test_what_providers_say(phase, code, text, expected):
    """A provider's own words lead to the right next step."""
    assert type(meaning(phase, code, text)) is expected


def test_the_basic_code_wins_over_a_contradicting_enhanced_one():
    """`450 5.1.1` is a passing failure: RFC 5321 lets the first digit decide."""
    assert type(meaning(Phase.RCPT, 450, "5.1.1 user unknown")) is Transient
    assert type(meaning(Phase.DOT, 550, "4.7.1 no")) is MessageRejected


@pytest.mark.parametrize(("text", "seconds"), [
    ("try again in 7 seconds", 7.0), ("wait 2 minutes", 120.0), ("retry after 30s", 30.0),
    ("come back in 1 hour", 3600.0), ("Daily message quota exceeded", 900.0), ("slow down", None),
    ("for 2 days", 172_800.0), ("in 90 secs", 90.0), ("in 5 min.", 300.0), ("in 2 hrs", 7200.0),
    ("no more than 10 in 5 mails", None), ("after 3 sessions", None),
])
def test_the_wait_is_read_from_the_text(text, seconds):
    """Seconds to days are understood, other nouns are not taken for them; silence is None."""
    assert retry_after(text) == seconds


@pytest.mark.parametrize(("text", "name"), [
    ("2.0.0 Ok: queued as 4XYZ12abc", "4XYZ12abc"), ("OK id=1pXyZ-0001AB-CD", "1pXyZ-0001AB-CD"),
    ("Ok 0102018d9f7c-1234-abcd-000000", "0102018d9f7c-1234-abcd-000000"), ("2.0.0 Ok", None), ("", None),
])
def test_the_queue_id_is_found(text, name):
    """Postfix, Exim and SES each name the message in their own way."""
    assert queue_id(text) == name
