"""What was kept is hidden, in whatever form and wherever it stands; all else stays as it is."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach_stream import confidential
from outreach_stream.confidential import HIDDEN, hide, keep

from .secrets_planted import PLANTED, forms, leaks


@pytest.fixture(autouse=True)
def kept(monkeypatch):
    """Nothing but the planted secrets is known, and nobody remembers them afterwards."""
    for name, empty in (("_forms", {}), ("_words", ()), ("_heads", ())):
        monkeypatch.setattr(confidential, name, empty)
    for secret in PLANTED.values():
        assert keep(secret) == secret


@given(before=st.text(max_size=20), after=st.text(max_size=20), name=st.sampled_from(sorted(PLANTED)), data=st.data())
def test_any_form_anywhere(before, after, name, data):
    """Also in the middle of something else, and cut off after sixteen characters or more."""
    form = data.draw(st.sampled_from(sorted(forms(PLANTED[name]))))
    cut = data.draw(st.integers(min_value=16, max_value=len(form)))

    assert leaks(hide(f"{before}{form}{after} {form[:cut]}{after}")) == []


@given(user=st.text(max_size=12), name=st.sampled_from(sorted(PLANTED)))
def test_within_what_goes_over_the_wire(user, name):
    """Basic, AUTH PLAIN and XOAUTH2 wrap a secret in base64 with whatever stands before and after it."""
    secret = PLANTED[name]
    for said in (f"{user}:{secret}", f"\0{user}\0{secret}", f"user={user}\1auth=Bearer {secret}\1\1"):
        told = base64.b64encode(said.encode()).decode()

        assert leaks(hide(told)) == [] and HIDDEN in hide(told)


def test_a_short_secret_is_hidden_as_a_word():
    """A password may be a word that occurs in others: those stay readable."""
    keep("secret")

    assert hide("auth_missing_secret: 'secret' is no secret, secretly") == (
        f"auth_missing_secret: '{HIDDEN}' is no {HIDDEN}, secretly")


def test_each_line_of_a_key_is_hidden():
    """A PEM file is quoted by the line."""
    keep("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0\nqhkiG9w0BAQEFAASCBKcw\n-----END PRIVATE KEY-----\n")

    assert hide("line 3: qhkiG9w0BAQEFAASCBKcw\nMIIEvQIBADANBgkqhkiG9w0") == f"line 3: {HIDDEN}\n{HIDDEN}"


def test_what_is_kept_is_bounded():
    """Tokens that are renewed for ever do not fill the memory; the newest are known."""
    for i in range(1_000):
        keep(f"token-{i:030}")

    assert len(confidential._forms) == confidential._KEPT
    assert hide(f"token-{999:030}") == HIDDEN


@given(st.text())
def test_all_else_stays(text):
    """Text without a secret is the same text."""
    assert hide(text) == text
