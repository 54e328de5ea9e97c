"""What a recipient sees who follows an unsubscribe link: small pages without scripts, or anything from elsewhere."""

from base64 import b64encode
from hashlib import sha256
from html import escape

from fastapi.responses import HTMLResponse

from outreach_stream.recipients.unsubscribing import Subscription

RETRY_AFTER = 30
"""Seconds after which a mail provider, or a person, is asked to come again."""

_STYLE = """
:root { color-scheme: light dark; --ground: #f5f6f8; --sheet: #fff; --ink: #131924; --edge: #d5dae2; --act: #3a4fd8;
  --on-act: #fff; }
@media (prefers-color-scheme: dark) { :root { --ground: #0c1018; --sheet: #141a25; --ink: #e9edf4; --edge: #323d52;
  --act: #93a4ff; --on-act: #0d1330; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem; background: var(--ground);
  color: var(--ink); font: 1.0625rem/1.6 system-ui, sans-serif; overflow-wrap: anywhere; }
main { width: 100%; max-width: 30rem; padding: 2rem; background: var(--sheet); border: 1px solid var(--edge);
  border-radius: 14px; }
h1 { margin: 0 0 .5rem; font-size: 1.5rem; line-height: 1.25; }
p { margin: 0 0 1.25rem; }
form { margin: 0; }
button { min-height: 2.75rem; padding: .5rem 1.25rem; border: 1px solid var(--act); border-radius: 9px;
  background: var(--act); color: var(--on-act); font: inherit; font-weight: 600; cursor: pointer; }
button.quiet { background: none; color: inherit; border-color: currentColor; }
button:focus-visible { outline: 3px solid var(--ink); outline-offset: 3px; }
"""

_DIGEST = b64encode(sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_DIGEST}'; form-action 'self'; "
                               "base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store", "X-Robots-Tag": "noindex", "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def ask(who: Subscription) -> HTMLResponse:
    """The question, with the button that answers it: to look at a link changes nothing, for scanners look at all."""
    return _page(200, "Unsubscribe?", _told(who, "will get no more mail of"), _button("Unsubscribe"))


def left(who: Subscription, token: str) -> HTMLResponse:
    """It is done, and may be undone."""
    words = _told(who, "gets no more mail of") + " What is on its way already may still arrive."
    return _page(200, "You are unsubscribed", words, _button("Subscribe again", f"{token}/undo", quiet=True))


def back(who: Subscription, token: str) -> HTMLResponse:
    """It is undone, and may be done again."""
    return _page(200, "You are subscribed again", _told(who, "gets mail again of"),
                 _button("Unsubscribe", f"../{token}", quiet=True))


def unknown() -> HTMLResponse:
    """One answer for every link that is not ours, whatever is wrong with it."""
    return _page(404, "This link does not work",
                 "It may be incomplete. Please open the link in the mail itself once more, or answer the mail.")


def not_now() -> HTMLResponse:
    """Nothing is sure: to be asked again."""
    return _page(503, "Please try again",
                 "This cannot be done just now. Your wish is not recorded yet: please try again in a minute.")


def _told(who: Subscription, what: str) -> str:
    return f"<b>{escape(who.email)}</b> {what} the list <b>{escape(who.list)}</b>."


def _button(words: str, action: str | None = None, *, quiet: bool = False) -> str:
    """A form that posts to `action`, relative to the page; None: to the page's own address."""
    where, look = f' action="{escape(action)}"' if action else "", ' class="quiet"' if quiet else ""
    return f'<form method="post"{where}><button{look}>{escape(words)}</button></form>'


def _page(status: int, title: str, words: str, form: str = "") -> HTMLResponse:
    headers = _HEADERS | ({"Retry-After": str(RETRY_AFTER)} if status == 503 else {})  # noqa: PLR2004 - as above
    return HTMLResponse(
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{escape(title)}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{escape(title)}</h1>\n<p>{words}</p>\n{form}\n</main>\n"
        f"</body>\n</html>\n", status, headers)
