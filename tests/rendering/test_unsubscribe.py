"""Mails of a workflow with a list: the one-click headers, the link in the body, and both under the signature."""

import re
import time
from email import message_from_bytes, policy

import pytest

from outreach_stream.catalog.models import Template, Workflow
from outreach_stream.catalog.spec import WorkflowSpec
from outreach_stream.domain.events import SendRequested
from outreach_stream.domain.ports import SpecAway, Unrenderable
from outreach_stream.engines.dkim import signed
from outreach_stream.recipients.unsubscribing import Links, Subscription
from outreach_stream.rendering.composer import Briefs, SpecComposer
from outreach_stream.rendering.failures import TemplateErrors
from tests.engines.keys import RSA, verified

LINKS = Links("https://mail.s.example", ["k" * 32])
HTML = '<p>Hello</p><a href="{{ unsubscribe_url }}">Unsubscribe</a>'


def spec(html: str = HTML, **workflow: object) -> WorkflowSpec:
    return WorkflowSpec(
        workflow=Workflow.model_validate({"id": "w", "template": "t", "engines": ["relay"], "from": "news@s.example",
                                          "unsubscribe": "newsletter", **workflow}),
        template=Template(id="t", subject="Hello", html=html))


def request(frozen: WorkflowSpec, **variables: object) -> SendRequested:
    return SendRequested(run_id="run", chunk=0, index=0, email="ada@r.example", variables=variables,
                         spec=frozen.digest, engine="relay", deadline=60)


def test_the_header_and_the_body_have_one_link_and_it_is_the_recipients() -> None:
    """Both headers of RFC 8058, and what readers see; nobody's row changes where it leads."""
    frozen = spec()
    composed = SpecComposer(frozen, LINKS).compose(request(frozen, unsubscribe_url="https://evil.example"), 1.0)
    message = message_from_bytes(composed.mime(), policy=policy.default)
    link = str(message["List-Unsubscribe"])[1:-1]

    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert LINKS.read(link.rpartition("/")[2]) == Subscription("newsletter", "ada@r.example", "run")
    assert f'href="{link}"' in (composed.mail.html or "")
    assert link in (composed.mail.text or "")
    assert SpecComposer(frozen, LINKS).compose(request(frozen), 2.0).mail == composed.mail


def test_both_headers_are_signed() -> None:
    """RFC 8058, section 4: a provider heeds them only under a valid DKIM signature that covers both."""
    frozen = spec()
    message = signed(SpecComposer(frozen, LINKS).compose(request(frozen), 1.0).mime(), [RSA], int(time.time()))
    covered = re.sub(r"\s", "", message.partition(b"h=")[2].partition(b";")[0].decode()).split(":")

    assert {"list-unsubscribe", "list-unsubscribe-post"} <= set(covered)
    assert verified(message, RSA) == [True]
    assert verified(message.replace(b"One-Click", b"One-Clack"), RSA) == [False]
    assert verified(re.sub(rb"(mail\.s\.example/u/)....", rb"\1AAAA", message, count=1), RSA) == [False]


def test_the_link_is_a_variable_only_of_such_a_workflow() -> None:
    """Elsewhere it is a column like others, and missing if there is none."""
    with_list = SpecComposer(spec(), LINKS).template
    without = SpecComposer(spec(unsubscribe=None), LINKS).template

    assert with_list.check([], []) == []
    assert [problem.split("'")[1] for problem in without.check([], [])] == ["unsubscribe_url"]
    assert without.check(["unsubscribe_url"], []) == []


async def test_no_mail_without_its_link() -> None:
    """Where links are not set up no composer is made, and what is requested all the same fails with what to set."""
    frozen = spec()
    with pytest.raises(TemplateErrors, match="set OUTREACH_PUBLIC_URL and OUTREACH_UNSUBSCRIBE_KEY"):
        SpecComposer(frozen)

    async def read(digest: str) -> bytes:
        if digest != frozen.digest:
            raise SpecAway(digest)
        return frozen.encoded

    brief = await Briefs(read).get(frozen.digest)
    assert brief.policy.unsubscribe == "newsletter"
    with pytest.raises(Unrenderable, match="OUTREACH_UNSUBSCRIBE_KEY"):
        brief.composer.compose(request(frozen), 1.0)


def test_a_link_to_this_machine_is_for_trying_it_out() -> None:
    """Plain http, which the settings allow for loopback only."""
    frozen = spec()
    composed = SpecComposer(frozen, Links("http://127.0.0.1:8000", ["k" * 32])).compose(request(frozen), 1.0)

    assert dict(composed.mail.headers)["List-Unsubscribe"].startswith("<http://127.0.0.1:8000/u/")


@pytest.mark.parametrize(("fields", "words"), [
    ({"list_unsubscribe": "https://x.example/{{ token }}"}, "either unsubscribe or list_unsubscribe"),
    ({"parameters": {"unsubscribe_url": 1}}, "unsubscribe_url is the recipient's link"),
    ({"unsubscribe": "two words"}, "should match pattern"),
])
def test_what_contradicts_it_is_refused(fields: dict[str, object], words: str) -> None:
    """A mail has one List-Unsubscribe, and the variable is ours."""
    with pytest.raises(ValueError, match=words):
        spec(**fields)
