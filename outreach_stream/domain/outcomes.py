"""What came of one attempt to send one mail, cut by what to do next.

A failed send is a value; only bugs raise.

    outcome            again?                              it ends as    the fuse
    Accepted           -                                   sent          is calmed
    Transient          yes, after a backoff                -
    Throttled          yes, when told; costs no attempt    -
    RecipientRejected  never: the address                  failed
    MessageRejected    never: the content                  failed
    SenderBlocked      never: the operator's business      failed        is fed
    EngineStopped      not here until somebody acts        -             is tripped
    InDoubt            the workflow's policy decides       in doubt

Policy asks the value (`retriable`, `costs_attempt`, `final_status`, `fuse`) instead of listing classes.
"""

import re
from dataclasses import dataclass
from typing import ClassVar, Literal

from outreach_stream.confidential import hide
from outreach_stream.domain.states import RecipientStatus

Fuse = Literal["calmed", "untouched", "fed", "tripped"]
"""What an outcome does to the engine's fuse. *Fed*: the same happening to everybody is a reason to stop."""

DETAIL_LIMIT = 300
"""Characters kept of what a provider said."""

# Whatever stands around an @, written plainly, percent-encoded or as SMTP's xtext (RFC 3461 section 4):
# providers repeat the address they refuse, and outcomes travel to logs and topics where it must not appear. Looked for
# at the beginning of words only: otherwise a long word costs its length squared.
_ADDRESS = re.compile(
    r"""(?:"[^"\s]{0,64}"|(?<![^\s<>()\[\],;:"'])[^\s<>()\[\],;:"']+)(?:@|%40|\+40|=40)[^\s<>()\[\],;:"']+"""
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")


def masked(text: str, *secrets: str) -> str:
    """`text` as one short line without our secrets, anything that looks like an address, nor the `secrets` as words.

    Pass the local part of the recipient's address as a secret: some servers say `no such user joe`.
    """
    text = _ADDRESS.sub("(address)", _CONTROL.sub(" ", hide(text)[: 4 * DETAIL_LIMIT]))
    for secret in secrets:
        if secret:
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "(address)", text, flags=re.IGNORECASE)
    text = text.strip()
    return text if len(text) <= DETAIL_LIMIT else f"{text[:DETAIL_LIMIT - 1].rstrip()}…"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the message and answers for it from here on."""

    provider_message_id: str | None = None
    """None: the provider named none."""
    reply: str = ""

    retriable: ClassVar[bool] = False
    costs_attempt: ClassVar[bool] = True
    final_status: ClassVar[RecipientStatus | None] = RecipientStatus.SENT
    fuse: ClassVar[Fuse] = "calmed"

    def __post_init__(self) -> None:
        if self.reply:
            object.__setattr__(self, "reply", masked(self.reply))
        if self.provider_message_id is not None:
            object.__setattr__(self, "provider_message_id", hide(self.provider_message_id))


@dataclass(frozen=True, slots=True)
class Failure:
    """What all failures say: why, as a short code fit for counting, and in the provider's masked words."""

    reason: str
    detail: str = ""

    retriable: ClassVar[bool] = False
    """The same engine may try the same recipient again without asking anybody."""
    costs_attempt: ClassVar[bool] = True
    """It counts against the attempts that a recipient has."""
    final_status: ClassVar[RecipientStatus | None] = None
    """How the recipient ends, if nothing else follows; None: not ended."""
    fuse: ClassVar[Fuse] = "untouched"

    def __post_init__(self) -> None:
        # A guarantee by construction: no failure can be made that carries an address or one of our secrets.
        object.__setattr__(self, "reason", masked(self.reason))
        object.__setattr__(self, "detail", masked(self.detail))


@dataclass(frozen=True, slots=True)
class Transient(Failure):
    """Nothing was accepted, and the same may succeed later: most 4xx, HTTP 500, 502, 503."""

    retriable: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Throttled(Failure):
    """Nothing was accepted because *we* are too fast: slow down the engine, not the recipient."""

    retry_after: float | None = None
    """Seconds the provider asked us to wait; None: it did not say."""

    retriable: ClassVar[bool] = True
    costs_attempt: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class RecipientRejected(Failure):
    """The address does not take mail: no such mailbox, mailbox full, no such domain."""

    final_status: ClassVar[RecipientStatus | None] = RecipientStatus.FAILED


@dataclass(frozen=True, slots=True)
class MessageRejected(Failure):
    """The content is not taken, whoever it is for: too large, malformed, not renderable."""

    final_status: ClassVar[RecipientStatus | None] = RecipientStatus.FAILED


@dataclass(frozen=True, slots=True)
class SenderBlocked(Failure):
    """A policy or reputation block (5.7.x): once, it is bad luck; in a row, it is the operator's business."""

    final_status: ClassVar[RecipientStatus | None] = RecipientStatus.FAILED
    fuse: ClassVar[Fuse] = "fed"


@dataclass(frozen=True, slots=True)
class EngineStopped(Failure):
    """The engine cannot send for anybody until somebody acts: bad key, unverified sender."""

    costs_attempt: ClassVar[bool] = False
    fuse: ClassVar[Fuse] = "tripped"


@dataclass(frozen=True, slots=True)
class InDoubt(Failure):
    """Handed over and never answered: it may or may not have been accepted, and nobody here can know."""

    final_status: ClassVar[RecipientStatus | None] = RecipientStatus.IN_DOUBT


type Refusal = (
    Transient | Throttled | RecipientRejected | MessageRejected | SenderBlocked | EngineStopped | InDoubt
)
type Outcome = Accepted | Refusal
