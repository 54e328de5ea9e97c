"""What the environment tells us: one typed table, read once per process. Every name has the prefix `OUTREACH_`."""

import os
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from outreach_stream import topics
from outreach_stream.values import SecretRef


def _cache_home() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "outreach-stream"


def catalog_place(value: object) -> object:
    """A catalog's folder, or the URL of its API. Raises ValueError for a URL that would send the token in clear."""
    if not isinstance(value, str) or "://" not in value:
        return Path(value) if isinstance(value, str) else value
    try:
        parts = urlsplit(value)
        whole = parts.hostname and parts.port != 0 and value.isascii() and value.isprintable() and " " not in value
    except ValueError:
        whole = False
    if not whole or parts.scheme not in ("https", "http") or parts.query or parts.fragment:
        raise ValueError("must be a folder, or an address like https://catalog.example.com/v1")
    if "@" in parts.netloc:
        raise ValueError("must not hold a password: use OUTREACH_CATALOG_TOKEN")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ValueError("must be https://: what a catalog says must not be read or changed on its way "
                         "(http:// is for this machine only)")
    return value.rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether what is sent to the host stays on this machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class Settings(BaseSettings):
    """Typed settings; a value that cannot be read fails at start and names its variable."""

    model_config = SettingsConfigDict(env_prefix="OUTREACH_", frozen=True, extra="ignore")

    kafka_bootstrap: str | None = Field(None, description="Brokers, `host:port,…`. Unset: the embedded one")
    catalog: Annotated[Path | str, BeforeValidator(catalog_place)] = Field(
        Path("examples/catalog"), description="Folder of workflows, templates, engines and schedules, or the "
                                              "`https://…` of a [catalog's API](docs/catalog-api.md)")
    catalog_token: SecretRef | None = Field(
        None, description="Bearer token for that API, by reference: `env:NAME` or `file:PATH`")
    catalog_refresh: float = Field(5.0, gt=0, description="Seconds between two looks at that API")
    output_dir: Path = Field(Path("output"), description="Where the JSON log of each run is written")
    state_dir: Path = Field(Path("state"), description="Local tables of the workers and the embedded broker's data")
    cache_dir: Path = Field(default_factory=_cache_home, description="Kafka's jars, once downloaded")
    gateway_host: str = Field("127.0.0.1", description="Address the gateway listens on")
    gateway_port: int = Field(8000, ge=0, le=65_535, description="Port the gateway listens on")
    session_timeout: float = Field(20.0, gt=1, description="Seconds until a dead worker's partitions are given away")
    drain_timeout: float = Field(25.0, gt=0, description="Seconds that hand-overs may take when a worker stops")
    planners: int = Field(4, ge=1, description="Queries that one dispatcher runs at the same time")
    lane_ahead: float = Field(2.0, gt=0, description="Seconds of an engine's rate kept ready in its lanes")
    partitions_triggers: int = Field(4, ge=1, description="Partitions of `workflow.triggered`; fixed at creation")
    partitions_runs: int = Field(4, ge=1, description="Partitions of the topics keyed by run; fixed at creation")
    partitions_engines: int = Field(4, ge=1, description="Partitions of `run.planned`; fixed at creation")
    partitions_lanes: int = Field(8, ge=1, description="Partitions of `send.requested`; fixed at creation")
    replication: int = Field(1, ge=1, description="Replicas of each topic; 3 for a cluster")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Process logs: debug, info, warning or error")
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="JSON lines, or readable on a terminal")

    def layout(self) -> topics.Layout:
        """How many partitions each group of topics has here."""
        return topics.Layout(triggers=self.partitions_triggers, runs=self.partitions_runs,
                             engines=self.partitions_engines, lanes=self.partitions_lanes)


@cache
def load_settings() -> Settings:
    """The settings of this process, read from its environment at the first call."""
    return Settings()
