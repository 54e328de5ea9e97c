"""The demo's engine files, without the demo."""

import pytest
import yaml

from outreach_stream.cli.demo.engines import SECRET, URL, DemoEngine, through
from outreach_stream.cli.demo.stage import example_catalog
from outreach_stream.engines import registry
from outreach_stream.inbox.__main__ import arguments
from outreach_stream.inbox.providers import stand_in

APIS = [engine for engine in DemoEngine if engine is not DemoEngine.SMTP]


@pytest.mark.parametrize("engine", APIS)
def test_the_file_is_one_of_the_catalog_and_finds_its_inbox(engine, monkeypatch):
    """Its references are those that the demo sets, and the inbox is told the same secret."""
    way = through(engine, 2_525)
    for name, value in way.env.items():
        monkeypatch.setenv(name, value)
    config = registry.engine_from({"id": "inbox", **yaml.safe_load(way.engine_file)})
    asked = arguments(list(way.inbox))
    assert (config.kind, asked.provider) == (engine, engine)
    assert config.origin().port == 2_525
    assert asked.auth[1] == way.env[SECRET]
    assert way.env[SECRET] not in way.engine_file
    assert stand_in(asked.provider, asked.auth)


def test_each_demo_makes_up_its_own_secret():
    """None is written anywhere."""
    assert len({through(engine, 1).env[SECRET] for engine in APIS for _ in range(2)}) == 2 * len(APIS)


def test_smtp_is_what_the_example_says():
    """The example's own engine, and nothing that is not SMTP's."""
    way = through(DemoEngine.SMTP, 2_525)
    assert way.engine_file is None
    assert way.inbox == ()
    assert URL not in way.env
    assert all(f"env:{name}" in (example_catalog() / "engines" / "inbox.yaml").read_text() for name in way.env)
