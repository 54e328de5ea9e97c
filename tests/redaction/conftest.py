"""Every secret planted where the program looks for it."""

import pytest

from .secrets_planted import PLANTED


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them in the environment."""
    for name, secret in PLANTED.items():
        monkeypatch.setenv(name, secret)
