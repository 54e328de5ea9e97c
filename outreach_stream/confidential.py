"""The secrets that this process has read, so that nothing it says repeats one.

Servers quote what they were sent, libraries what they refuse: nobody can know where a key will turn up. So whoever
reads a secret keeps it here (`SecretRef.resolve` does), and the few places through which everything leaves that is said
(outcomes, process logs, reasons, a preflight's findings) hide it there, in every form in which it may be quoted.
"""

import base64
import json
import re
import threading
from itertools import chain, takewhile
from urllib.parse import quote, quote_plus

HIDDEN = "(secret)"

_WHOLE_WORD = 8
"""Characters below which a secret may be an ordinary word: it is hidden where it stands alone."""
_SHORTEST_FORM = 6
"""Characters that an encoded form has at least: a shorter one would be found everywhere."""
_HEAD = 12
"""Characters by which one is known, whether or not the rest follows: who quotes may cut it off."""
_KEPT = 64
"""Secrets that are remembered: more than are in use, those of tokens that are renewed for ever among them. Each costs
every `hide` half a microsecond, and every mail's answer is hidden."""
_ESCAPE = re.compile("%[0-9A-F]{2}")

_keeping = threading.Lock()
"""Secrets are read in threads, by several connections at once."""
_forms: dict[str, set[str]] = {}
"""By secret, first the one that was read longest ago."""
_words: tuple[str, ...] = ()
"""Short ones."""
_heads: tuple[tuple[str, tuple[str, ...]], ...] = ()
"""Beginnings, the longest first, with all the forms that begin so."""


def keep(secret: str) -> str:
    """The secret, which from now on `hide` hides.

    In plain, percent-encoded, hexadecimal, escaped, and in base64 also within something longer (`Basic`, AUTH PLAIN).
    Of several lines, as a PEM file has them, each is hidden, too.
    """
    if secret:
        with _keeping:
            _remember(secret)
    return secret


def _remember(secret: str) -> None:
    global _heads, _words  # noqa: PLW0603 - what is known to the process
    known = _forms.pop(secret, None)
    if known is not None:
        _forms[secret] = known
    else:
        lines = {line.strip() for line in secret.splitlines() if not line.startswith("-----")}
        _forms[secret] = {form for form in _encoded(secret) | lines if len(form) >= _SHORTEST_FORM}
        while len(_forms) > _KEPT:
            del _forms[next(iter(_forms))]
        _words = tuple(each for each in _forms if len(each) < _WHOLE_WORD)
        _heads = _by_head({*_forms, *chain.from_iterable(_forms.values())} - set(_words))


def hide(text: str) -> str:
    """`text` without any secret that was kept. Costs microseconds where there is none."""
    for head, forms in _heads:
        at = text.find(head)
        while at >= 0:
            end = at + max(_alike(form, text[at:at + len(form)]) for form in forms)
            text = text[:at] + HIDDEN + text[end:]
            at = text.find(head, at + len(HIDDEN))
    for word in _words:
        if word in text:
            text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", HIDDEN, text)
    return text


def _alike(form: str, text: str) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(form, text, strict=False)))


def _by_head(forms: set[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found: dict[str, list[str]] = {}
    for form in forms:
        found.setdefault(form[:_HEAD], []).append(form)
    return tuple((head, tuple(found[head])) for head in sorted(found, key=len, reverse=True))


def _encoded(secret: str) -> set[str]:
    raw = secret.encode(errors="surrogatepass")
    percent = {quote(raw), quote(raw, safe=""), quote_plus(raw), "".join(f"%{byte:02X}" for byte in raw)}
    forms = percent | {_ESCAPE.sub(lambda escape: escape[0].lower(), form) for form in percent}
    forms |= {raw.hex(), raw.hex().upper(), raw.hex(" "), raw.hex(":")}
    forms |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1],
              repr(raw)[2:-1]}
    forms |= {encode(raw, shift) for encode in (_base64, _base64_for_urls) for shift in range(3)}
    return forms - {secret}


def _base64(raw: bytes, shift: int) -> str:
    """What of the base64 of something longer is determined by `raw`.

    It begins `shift` bytes after a multiple of three; each character stands for six bits.
    """
    text = base64.b64encode(bytes(shift) + raw).decode()
    return text[(8 * shift + 5) // 6:8 * (shift + len(raw)) // 6]


def _base64_for_urls(raw: bytes, shift: int) -> str:
    return _base64(raw, shift).replace("+", "-").replace("/", "_")
