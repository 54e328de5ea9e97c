"""What the environment tells us: one typed table, read once per process. Every name has the prefix `OUTREACH_`."""

import os
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo
from pydantic_settings import NoDecode, SettingsConfigDict

from outreach_stream import topics
from outreach_stream.kafka_settings import KafkaSettings
from outreach_stream.values import SecretRef

_LONGEST_PUBLIC = 250
"""Characters of the public address: with a token after it, it must fit into a header that every provider takes."""


def _cache_home() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "outreach-stream"


def catalog_place(value: object) -> object:
    """A catalog's folder, or the URL of its API. Raises ValueError for a URL that would send the token in clear."""
    if not isinstance(value, str) or "://" not in value:
        return Path(value) if isinstance(value, str) else value
    parts = _address(value, "must be a folder, or an address like https://catalog.example.com/v1")
    if "@" in parts.netloc:
        raise ValueError("must not hold a password: use OUTREACH_CATALOG_TOKEN")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ValueError("must be https://: what a catalog says must not be read or changed on its way "
                         "(http:// is for this machine only)")
    return value.rstrip("/")


def public_place(value: object) -> object:
    """Where the gateway is found from outside. Raises ValueError for what cannot stand in a mail's one-click header."""
    if not isinstance(value, str):
        return value
    parts = _address(value, "must be an address like https://mail.example.com")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ValueError("must be https://, as RFC 8058 demands (http:// is for this machine only)")
    if "@" in parts.netloc or len(value) > _LONGEST_PUBLIC or set(value) & set("<>,"):
        raise ValueError(f"must be {_LONGEST_PUBLIC} characters at most, without a password, commas or angle brackets")
    return value.rstrip("/")


def _address(value: str, wanted: str) -> SplitResult:
    """The parts of a web address; raises ValueError, saying what is wanted."""
    try:
        parts = urlsplit(value)
        whole = parts.hostname and parts.port != 0 and value.isascii() and value.isprintable() and " " not in value
    except ValueError:
        whole = False
    if not whole or parts.scheme not in ("https", "http") or parts.query or parts.fragment:
        raise ValueError(wanted)
    return parts


def _unless_empty(value: object) -> object:
    """A variable that is there and empty is not set: so a child process can be given none."""
    return value or None


def _names(value: object) -> object:
    """Host names, separated by commas, as they are compared."""
    if not isinstance(value, str):
        return value
    return tuple(each.strip().lower() for each in value.split(",") if each.strip())


def _references(value: object) -> object:
    """References to secrets, separated by commas."""
    return tuple(each.strip() for each in value.split(",") if each.strip()) if isinstance(value, str) else value


BUCKETS = ("s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss")
"""Schemes of the URLs of object stores."""

ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT", "AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT")
"""Variables that name an object store of one's own; the first that is set counts."""


def output_place(value: object) -> object:
    """A folder for logs, or an object store's URL. Raises ValueError for one that would be spoken to in clear."""
    if not isinstance(value, str) or "://" not in value:
        return Path(value) if isinstance(value, str) else value
    scheme, _, rest = value.partition("://")
    if scheme not in BUCKETS or not rest.strip("/") or not value.isprintable() or set(rest) & set("?#@ "):
        raise ValueError("must be a folder, or a bucket like s3://bucket/prefix, gs://bucket/prefix, "
                         "az://container/prefix; its credentials come from the provider's own variables")
    endpoint = next((name for name in ENDPOINTS if os.environ.get(name)), "")
    if endpoint and not endpoint_is_safe(os.environ[endpoint]):
        raise ValueError(f"{endpoint} must be https://: who was mailed must not be read on its way (http:// is for "
                         "this machine only)")
    return value.rstrip("/")


def endpoint_is_safe(url: str) -> bool:
    """Whether nobody on the way can read what is sent there."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))


def is_loopback(host: str) -> bool:
    """Whether what is sent to the host stays on this machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _at_most_replication(value: int | None, info: ValidationInfo) -> int | None:
    if value and value > info.data.get("replication", value):
        raise ValueError(f"must not be more than OUTREACH_REPLICATION, which is {info.data['replication']}: no record "
                         "would ever count")
    return value


MOST_PROCESSES = 64
"""Processes of a role that one command starts at most; more are begun by several commands, each with `--instance`."""


class Settings(KafkaSettings):
    """Typed settings; a value that cannot be read fails at start and names its variable."""

    model_config = SettingsConfigDict(env_prefix="OUTREACH_", frozen=True, extra="ignore")

    catalog: Annotated[Path | str, BeforeValidator(catalog_place)] = Field(
        Path("examples/catalog"), description="Folder of workflows, templates, engines and schedules, or the "
                                              "`https://…` of a [catalog's API](docs/catalog-api.md)")
    catalog_token: SecretRef | None = Field(
        None, description="Bearer token for that API, by reference: `env:NAME` or `file:PATH`")
    catalog_refresh: float = Field(5.0, gt=0, description="Seconds between two looks at that API")
    output: Annotated[Path | str, BeforeValidator(output_place)] = Field(
        Path("output"), description="Where the JSON log of each run is written: a folder, or a bucket such as "
                                    "`s3://bucket/prefix`")
    state_dir: Path = Field(Path("state"), description="Local tables of the workers and the embedded broker's data")
    cache_dir: Path = Field(default_factory=_cache_home, description="Kafka's jars, once downloaded")
    gateway_host: str = Field("127.0.0.1", description="Address the gateway listens on")
    gateway_port: int = Field(8000, ge=0, le=65_535, description="Port the gateway listens on")
    gateway_tokens: Annotated[Path | None, BeforeValidator(_unless_empty)] = Field(
        None, description="File of the [API tokens](docs/gateway.md#tokens) that the gateway asks for. Unset: it asks "
                          "nobody, and listens on loopback only")
    gateway_open: bool = Field(
        False, description="Let a gateway without tokens listen elsewhere, because something in front of it decides "
                           "who gets in")
    gateway_names: Annotated[tuple[str, ...] | None, NoDecode, BeforeValidator(_names)] = Field(
        None, description="Further host names, with commas between, under which a gateway without tokens is asked")
    gateway_proxies: str = Field(
        "127.0.0.1,::1", description="Addresses or networks of reverse proxies, whose X-Forwarded-For and -Proto "
                                     "are believed")
    gateway_rate: float = Field(
        50.0, gt=0, description="Requests per second of one token, or of one address without; twice as many at once")
    public_url: Annotated[str | None, BeforeValidator(public_place)] = Field(
        None, description="Where recipients reach the gateway: `https://…`. Their unsubscribe links begin so")
    unsubscribe_key: Annotated[tuple[SecretRef, ...] | None, NoDecode, BeforeValidator(_references)] = Field(
        None, description="Key of those links, 32 bytes at least, by reference: `env:NAME` or `file:PATH`; "
                          "several with commas between: the first signs, all are read")
    session_timeout: float = Field(20.0, gt=1, description="Seconds until a dead worker's partitions are given away")
    drain_timeout: float = Field(25.0, gt=0, description="Seconds that hand-overs may take when a worker stops")
    aggregators: int = Field(
        1, ge=1, le=MOST_PROCESSES, description="Aggregators that one `outreach worker` starts, a process each. They "
                                                "share their topics' partitions: more than the larger of "
                                                "`OUTREACH_PARTITIONS_RUNS` and `…_TRIGGERS` only stand by")
    dispatchers: int = Field(
        1, ge=1, le=MOST_PROCESSES, description="The same of dispatchers: more than the larger of "
                                                "`OUTREACH_PARTITIONS_RUNS` and `…_ENGINES` only stand by")
    senders: int = Field(
        1, ge=1, le=MOST_PROCESSES, description="The same of senders, which share the lanes: more than "
                                                "`OUTREACH_PARTITIONS_LANES` only stand by")
    planners: int = Field(4, ge=1, description="Queries that one dispatcher runs at the same time")
    lane_ahead: float = Field(2.0, gt=0, description="Seconds of an engine's rate kept ready in its lanes")
    partitions_triggers: int = Field(4, ge=1, description="Partitions of `workflow.triggered`; fixed at creation")
    partitions_runs: int = Field(4, ge=1, description="Partitions of the topics keyed by run; fixed at creation")
    partitions_engines: int = Field(4, ge=1, description="Partitions of `run.planned`; fixed at creation")
    partitions_lanes: int = Field(8, ge=1, description="Partitions of `send.requested`; fixed at creation")
    replication: int = Field(1, ge=1, description="Replicas of each topic; 3 for a cluster")
    min_insync: Annotated[int | None, AfterValidator(_at_most_replication)] = Field(
        None, ge=1, description="Replicas that must have a record before it counts. Unset: one less than there are")
    metrics_host: str = Field(
        "127.0.0.1", description="Address on which workers and tickers tell their health and metrics")
    metrics_port: int = Field(
        0, ge=0, le=65_533, description="Port for it: the first process's, of several in one command the others take "
                                        "the next. 0: none")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Process logs: debug, info, warning or error")
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="JSON lines, or readable on a terminal")

    @property
    def unsubscribing(self) -> bool:
        """Whether links to unsubscribe can be made here."""
        return self.public_url is not None and bool(self.unsubscribe_key)

    @property
    def insync(self) -> int:
        """Replicas that must have a record: with one less than there are, a broker may be lost, and no record is."""
        return self.min_insync or max(1, self.replication - 1)

    def layout(self) -> topics.Layout:
        """How many partitions each group of topics has here."""
        return topics.Layout(triggers=self.partitions_triggers, runs=self.partitions_runs,
                             engines=self.partitions_engines, lanes=self.partitions_lanes)


@cache
def load_settings() -> Settings:
    """The settings of this process, read from its environment at the first call."""
    return Settings()
