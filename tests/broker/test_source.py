"""Which broker the tests themselves run against."""

from pathlib import Path

import pytest


@pytest.mark.parametrize(("named", "docker", "source"), [
    ("10.0.0.1:9092", True, "named"),
    ("10.0.0.1:9092", False, "named"),
    (" ", True, "docker"),
    ("", False, "embedded"),
    (None, True, "docker"),
    (None, False, "embedded"),
])
def test_tests_take_the_named_broker_then_a_container_then_the_embedded_one(
    pytestconfig: pytest.Config, named: str | None, docker: bool, source: str,
) -> None:
    """A broker named in the environment wins, and a container is only tried where an engine answers."""
    conftest = pytestconfig.pluginmanager.get_plugin(str(Path(__file__).parents[1] / "conftest.py"))
    environment = {} if named is None else {"OUTREACH_KAFKA_BOOTSTRAP": named}

    assert conftest is not None
    assert conftest.broker_source(environment, lambda: docker) == source
