"""API tokens: a file of names, scopes and hashes. A token itself is nowhere but with whoever was given it.

A plain SHA-256 is enough: a token is 256 random bits, so that there is nothing to guess, and salt and slow hashes
protect what people choose. What is no token of ours by its form is therefore never looked up.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from time import monotonic
from typing import Annotated, Literal, get_args

import structlog
from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from outreach_stream.catalog.files import ReadProblem, read_mapping
from outreach_stream.catalog.folder import problems_of
from outreach_stream.catalog.snapshot import CatalogProblem
from outreach_stream.domain.clock import Clock, Moment, wall_clock
from outreach_stream.values import Strict

Scope = Literal["read", "trigger", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
"""`read`: all that can be looked at; `trigger`: start runs, try mails out; `admin`: orders. None holds another: a shop
that triggers need not read who was mailed."""

TOKEN = re.compile(r"ort_[0-9a-f]{64}")
"""What a token looks like. Scanners for leaked secrets know one by its prefix."""

TOKEN_NAME: TypeAdapter[str] = TypeAdapter(Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")])
"""Checks the name of a token's holder, which a run's `source` and an order's `by` say."""

LOOK_EVERY = 1.0
"""Seconds after which the file is looked at again: so long a token that was removed may still work."""

_log = structlog.get_logger()


def _moment(value: object) -> object:
    return datetime(value.year, value.month, value.day) if type(value) is date else value  # noqa: DTZ001 - Moment: UTC


class Token(Strict):
    """What the file holds of a token, under its name."""

    hash: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    scopes: Annotated[list[Scope], Field(min_length=1)]
    expires: Annotated[Moment | None, BeforeValidator(_moment)] = None
    """None: never. A day alone is its first moment, in UTC."""

    def expired(self, now: float) -> bool:
        """Whether it is worth nothing any more at `now`."""
        return self.expires is not None and self.expires.timestamp() <= now


type Tokens = Mapping[str, Token]
"""By name."""


class TokenErrors(Exception):  # noqa: N818 - as CatalogErrors
    """The file cannot be used; `problems` has everything that is wrong with it."""

    def __init__(self, problems: list[CatalogProblem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def new_token() -> str:
    """256 random bits, in the form of a token."""
    return f"ort_{secrets.token_hex(32)}"


def hashed(token: str) -> str:
    """What the file holds of it."""
    return f"sha256:{hashlib.sha256(token.encode()).hexdigest()}"


def written(name: str, token: Token) -> str:
    """The entry as it stands in the file."""
    expires = f"  expires: {token.expires.isoformat()}\n" if token.expires else ""
    return f"{name}:\n  hash: {token.hash}\n  scopes: [{', '.join(token.scopes)}]\n{expires}"


def read_tokens(file: Path) -> Tokens:
    """All tokens of the file; one that holds only comments has none. Raises `TokenErrors`. Blocks on the disk."""
    try:
        entries = {} if _empty(file) else read_mapping(file)
    except ReadProblem as problem:
        raise TokenErrors([CatalogProblem(str(file), problem.field, problem.message)]) from problem
    found: dict[str, Token] = {}
    problems: list[CatalogProblem] = []
    for name, entry in entries.items():
        try:
            found[TOKEN_NAME.validate_python(name)] = Token.model_validate(entry)
        except ValidationError as error:
            problems += [_of(str(file), name, each) for each in problems_of(str(file), error)]
    hashes = [token.hash for token in found.values()]
    problems += [CatalogProblem(str(file), f"{name}.hash", "is that of another token, too: create one for each holder")
                 for name, token in found.items() if hashes.count(token.hash) > 1]
    if problems:
        raise TokenErrors(problems)
    return found


def _of(file: str, name: str, problem: CatalogProblem) -> CatalogProblem:
    if problem.field == "hash":
        # Perhaps it is the token itself that was put there: the message repeats nothing of it.
        return CatalogProblem(file, f"{name}.hash", "must be `sha256:` and 64 hexadecimal digits, as "
                                                    "`outreach token create` writes it; never the token itself")
    return CatalogProblem(file, f"{name}.{problem.field}" if problem.field else name, problem.message)


def _empty(file: Path) -> bool:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return False    # whoever reads it properly says what is wrong
    return all(not line.strip() or line.lstrip().startswith("#") for line in lines)


class TokenFile:
    """The tokens that are good now. A changed file is read again; while it is wrong, the last good one stays in use."""

    def __init__(self, file: Path, *, clock: Clock = wall_clock, tick: Callable[[], float] = monotonic) -> None:
        """Raises `TokenErrors`. `clock` tells what has expired, `tick` when the file is to be looked at again."""
        self._file, self._clock, self._tick = file, clock, tick
        self._seen, self._tokens = _content(file), read_tokens(file)
        self._looked = tick()

    def holder(self, presented: str) -> tuple[str, Token] | None:
        """Whose token it is; None: nobody's, or one that has expired. Reads the file at most every LOOK_EVERY."""
        if not TOKEN.fullmatch(presented):
            return None
        digest, found = hashed(presented), None
        for name, token in self._current().items():     # all of them, so that the time taken tells nothing
            if hmac.compare_digest(token.hash, digest):
                found = name, token
        return found if found and not found[1].expired(self._clock()) else None

    def _current(self) -> Tokens:
        now = self._tick()
        if now - self._looked >= LOOK_EVERY:
            self._looked = now
            content = _content(self._file)
            if content != self._seen:
                self._seen = content
                self._read()
        return self._tokens

    def _read(self) -> None:
        try:
            self._tokens = read_tokens(self._file)
        except TokenErrors as errors:
            _log.warning("tokens_unusable", problems=[str(problem) for problem in errors.problems])
        else:
            _log.info("tokens_read", file=str(self._file), tokens=len(self._tokens))


def _content(file: Path) -> bytes | None:
    """A small file is compared as a whole: its time does not tell two changes in one tick apart."""
    try:
        return file.read_bytes()
    except OSError:
        return None
