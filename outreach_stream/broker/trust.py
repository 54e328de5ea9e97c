"""Downloads trust what the machine trusts: a company's own certificates are there, not in Python's bundle."""

import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "REQUESTS_CA_BUNDLE"
"""Where `requests`, and so jgo, looks for certificates; a file or a folder of hashed names."""


@contextmanager
def machine_trust() -> Iterator[None]:
    """While it lasts, `requests` trusts the machine's certificates, unless told otherwise or there are none."""
    bundle = certificates(os.environ, ssl.get_default_verify_paths())
    if bundle is None:
        yield
        return
    os.environ[VARIABLE] = bundle
    try:
        yield
    finally:
        del os.environ[VARIABLE]


def certificates(environment: Mapping[str, str], paths: ssl.DefaultVerifyPaths) -> str | None:
    """The machine's certificates; None if `requests` shall do as it does: the user has decided, or there are none."""
    if environment.get(VARIABLE) or environment.get("CURL_CA_BUNDLE"):
        return None
    if paths.cafile and Path(paths.cafile).stat().st_size > 0:
        return paths.cafile
    if paths.capath and any(Path(paths.capath).glob("*.0")):
        return paths.capath
    return None
