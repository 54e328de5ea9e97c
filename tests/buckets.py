"""An S3 that is not ours: moto, with one bucket, and an environment by which it is found."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import Request, urlopen

import pytest
from moto.server import ThreadedMotoServer

from outreach_stream.runs import log_store

SECRET = "a-secret-key-of-forty-characters-for-tests"


@contextmanager
def bucket_server() -> Iterator[str]:
    """Its address; the bucket `logs` is there. This process's environment, and that of its children, leads to it."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": SECRET,
                            "AWS_REGION": "us-east-1", "NO_PROXY": "127.0.0.1"}.items():
            environment.setenv(name, value)
        log_store._bucket.cache_clear()
        urlopen(Request(f"{url}/logs", method="PUT")).close()
        yield url
    log_store._bucket.cache_clear()
    urlopen(Request(f"{url}/moto-api/reset", method="POST")).close()
    server.stop()
