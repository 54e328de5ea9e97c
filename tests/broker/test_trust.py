"""Whose certificates a download believes."""

import os
import ssl
from pathlib import Path

import pytest

from outreach_stream.broker.trust import certificates, machine_trust


def paths(cafile: str | None = None, capath: str | None = None) -> ssl.DefaultVerifyPaths:
    """A machine with these certificates."""
    return ssl.DefaultVerifyPaths(cafile, capath, "", "", "", "")


def test_the_machines_bundle_is_taken_before_its_folder(tmp_path: Path) -> None:
    """A bundle with something in it wins; a folder counts only if it holds certificates."""
    bundle = tmp_path / "cert.pem"
    bundle.write_text("certificates")

    assert certificates({}, paths(str(bundle), str(tmp_path))) == str(bundle)
    assert certificates({}, paths(None, str(tmp_path))) is None
    (tmp_path / "5ed36f99.0").touch()
    assert certificates({}, paths(None, str(tmp_path))) == str(tmp_path)
    assert certificates({}, paths()) is None


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_what_the_user_says_is_left_alone(tmp_path: Path, variable: str) -> None:
    """Either variable that requests knows is the user's own decision."""
    (tmp_path / "5ed36f99.0").touch()

    assert certificates({variable: "/mine.pem"}, paths(None, str(tmp_path))) is None


def test_the_environment_is_as_before_afterwards(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The variable is set for the download only."""
    bundle = tmp_path / "cert.pem"
    bundle.write_text("certificates")
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))

    with machine_trust():
        assert os.environ["REQUESTS_CA_BUNDLE"] == str(bundle)

    assert "REQUESTS_CA_BUNDLE" not in os.environ
