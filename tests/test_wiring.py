"""The wiring: what has to be right before a role begins."""

from pathlib import Path

import pytest

from outreach_stream.catalog.snapshot import CatalogErrors
from outreach_stream.settings import Settings
from outreach_stream.wiring import ROLES, catalog_of


@pytest.mark.parametrize("role", ROLES)
def test_no_role_begins_with_a_broken_catalog(role: str, tmp_path: Path) -> None:
    """And it leaves nothing behind: the state folder is not even locked."""
    settings = Settings(kafka_bootstrap="127.0.0.1:1", catalog=tmp_path / "nowhere")
    with pytest.raises(CatalogErrors, match="no such folder"):
        ROLES[role](settings, tmp_path / "state")
    assert not (tmp_path / "state").exists()


def test_a_catalog_that_breaks_later_stops_nobody(tmp_path: Path) -> None:
    """The last good one stays in use, without anybody having asked for it before."""
    engine = tmp_path / "engines" / "relay.yaml"
    engine.parent.mkdir()
    engine.write_text("kind: smtp\nhost: localhost\nrate: 5\n")
    catalog = catalog_of(Settings(catalog=tmp_path))
    engine.write_text("kind: smtp\nhost: localhost\nrate: -1000\n")

    assert catalog.current().engine("relay").rate == 5
