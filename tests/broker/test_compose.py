"""docker-compose.yml says what the program understands. No engine is needed: the file is read, not run."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from outreach_stream.broker.jars import locked_jars
from outreach_stream.catalog.folder import FolderCatalog
from outreach_stream.cli import app

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "outreach-stream"}


def test_every_part_of_the_system_is_there() -> None:
    """What others make, and one service for each thing that we run."""
    assert set(SERVICES) - set(OURS) == {"kafka", "postgres", "mailpit", "prometheus", "grafana"}
    assert set(OURS) == {"topics", "aggregator", "dispatcher", "sender", "ticker", "gateway"}


@pytest.mark.parametrize("name", OURS)
def test_each_command_is_one_the_program_has(name: str) -> None:
    """The arguments of every service are parsed by the real command line, without running anything."""
    group: Any = get_command(app)
    arguments = list(OURS[name]["command"])
    context = group.make_context("outreach", list(arguments), resilient_parsing=True)
    while hasattr(group, "resolve_command"):
        word, group, arguments = group.resolve_command(context, arguments)
        more = hasattr(group, "resolve_command")
        context = group.make_context(word, list(arguments), parent=context, resilient_parsing=more)

    assert group.name is not None


def test_services_wait_for_services_that_can_say_when_they_are_ready() -> None:
    """Each condition names a service that exists, and `service_healthy` one with a health check."""
    for name, service in SERVICES.items():
        for other, wish in service.get("depends_on", {}).items():
            assert other in SERVICES, f"{name} waits for {other}"
            if wish["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], f"{name} waits for the health of {other}"
            else:
                assert (other, wish["condition"]) == ("topics", "service_completed_successfully")


def test_kafka_is_the_version_that_is_embedded() -> None:
    """Both roads lead to the same Kafka."""
    version = SERVICES["kafka"]["image"].removeprefix("apache/kafka:")

    assert f"org.apache.kafka:kafka_2.13:{version}" in {jar.coordinate for jar in locked_jars()}


def test_its_catalog_is_right_and_names_its_own_services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example's catalog with the two files laid over it is valid, and leads to the services of the file."""
    for volume in OURS["sender"]["volumes"]:
        source, _, target = volume.removesuffix(":ro").rpartition(":")
        if target.startswith("/app/catalog"):
            copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
            copy(ROOT / source, tmp_path / Path(target).relative_to("/app"))
    for name, value in OURS["dispatcher"]["environment"].items():
        monkeypatch.setenv(name, value)

    catalog = FolderCatalog(tmp_path / "catalog").load()

    assert catalog.engines["inbox"].every_relay[0].address()[0] in SERVICES
    assert catalog.workflows["1"].recipients.database == "env:OUTREACH_DATABASE"
    assert OURS["dispatcher"]["environment"]["OUTREACH_DATABASE"].endswith("@postgres/outreach")
