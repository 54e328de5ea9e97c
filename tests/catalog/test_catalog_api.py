"""The contract of catalog APIs, and the server that serves a folder by it."""

import json
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml
from jsonschema import Draft202012Validator

from outreach_stream.catalog import api
from outreach_stream.catalog.api_contract import CONTRACT_FILE, contract, written
from outreach_stream.catalog.contract import COLLECTIONS
from outreach_stream.cli.demo.stage import example_catalog
from tests.contract.catalog_worlds import GOOD, FolderWorld, served

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path):
    FolderWorld(tmp_path / "catalog").write(GOOD | {
        "templates/hello.yaml": "{subject: Hello, text: Hi, attachments: [terms.pdf]}", "templates/terms.pdf": b"%PDF"})
    return tmp_path / "catalog"


@pytest.fixture
def client(folder, tmp_path):
    with open_api(folder, largest_page=2, logs=tmp_path / "received") as client:
        yield client


@contextmanager
def open_api(folder, **more):
    with served(api.build(folder, **more)) as url, httpx.Client(base_url=url) as client:
        yield client


def test_the_contract_is_fresh() -> None:
    """`python -m outreach_stream.catalog.api_contract` was run after the server or a model was changed."""
    assert (PROJECT / CONTRACT_FILE).read_text(encoding="utf-8") == written()


@pytest.mark.parametrize("example", [False, True])
def test_what_is_served_is_what_the_contract_says(folder, example) -> None:
    """Every page and every object, of a catalog with all kinds of objects and of the example."""
    schemas = contract()
    with open_api(example_catalog() if example else folder) as client:
        for name in COLLECTIONS:
            for path, said in ((f"/{name}", f"/{name}"), *((f"/{name}/{item['id']}", f"/{name}/{{object_id}}")
                                                           for item in client.get(f"/{name}").json()["items"])):
                answer = schemas["paths"][said]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
                Draft202012Validator(answer | {"components": schemas["components"]}).validate(client.get(path).json())


def test_the_contract_refuses_what_a_reader_refuses() -> None:
    """It is worth something to those who check their own server against it."""
    schemas = contract()
    check = Draft202012Validator({"$ref": "#/components/schemas/Workflow", "components": schemas["components"]})
    good = {"id": 7, "template": "t", "engines": ["e"], "from": "a@example.com", "deadline": "1h30m"}

    assert check.is_valid(good)
    assert check.is_valid(good | {"from": {"email": "a@example.com"}})
    for wrong in ({"deadline": 24}, {"deadline": "24"}, {"querry": "x"}, {"id": "a b"}, {"engines": []}):
        assert not check.is_valid(good | wrong), wrong


def test_every_answer_is_in_the_contract(client) -> None:
    """404, 410, 422, 304 and all: nothing is answered that is not announced."""
    etag = client.get("/engines").headers["ETag"]
    said = contract()["paths"]
    asked = [("/engines", {}, {"If-None-Match": f'"other", {etag}'}, 304), ("/engines", {"after": "99"}, {}, 410),
             ("/engines", {"after": "-1"}, {}, 410), ("/engines", {"limit": "0"}, {}, 422),
             ("/engines/none", {}, {}, 404), ("/engines/relay", {}, {}, 200)]
    for path, query, headers, status in asked:
        answer = client.get(path, params=query, headers=headers)
        assert answer.status_code == status, path
        assert str(status) in said[path if path == "/engines" else "/engines/{object_id}"]["get"]["responses"]


def test_a_token_is_needed_everywhere(folder) -> None:
    """For objects, for logs, and for what is not there."""
    with open_api(folder, token="s3cret") as closed:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic s3cret"}):
            assert closed.get("/engines", headers=headers).status_code == 401
            assert closed.get("/engines/none", headers=headers).status_code == 401
            assert closed.post("/logs/a", json={}, headers=headers).status_code == 401
        assert closed.get("/engines", headers={"Authorization": "Bearer s3cret"}).status_code == 200


def test_logs_are_kept_whole(client, tmp_path, monkeypatch) -> None:
    """The last one counts; what is no log, too large, or no run's, leaves nothing behind."""
    received = tmp_path / "received"
    assert client.post("/logs/run-1", content=b'{"a": 1}').status_code == 204
    assert client.post("/logs/run-1", content=b' {"a": 2}').status_code == 204
    assert json.loads((received / "run-1.json").read_bytes()) == {"a": 2}

    assert client.post("/logs/run-2", content=b"[1]").status_code == 422
    assert client.post("/logs/run-2", content=b"").status_code == 422
    assert client.post("/logs/..%2Frun-2", content=b"{}").status_code in (404, 422)
    assert client.post("/logs/.run-2", content=b"{}").status_code == 422
    monkeypatch.setattr(api, "LARGEST_LOG", 10)
    assert client.post("/logs/run-2", content=b"{" + b" " * 20 + b"}").status_code == 413
    assert [file.name for file in received.iterdir()] == ["run-1.json"]


def test_what_json_cannot_say_is_told(folder, client) -> None:
    """Rather than served as something else: a number that is none would be no limit at all on the other side."""
    FolderWorld(folder).write({"engines/relay.yaml": "{kind: smtp, host: h, rate: .inf}",
                               "workflows/7.yaml": "{template: hello, parameters: {1: x}}"})

    told = [*client.get("/engines").json()["problems"], *client.get("/workflows").json()["problems"]]
    assert [(each["id"], each["field"]) for each in told] == [("relay", "rate"), ("7", "parameters")]


def test_the_document_is_openapi() -> None:
    """Every reference in it resolves."""
    said = yaml.safe_load((PROJECT / CONTRACT_FILE).read_text(encoding="utf-8"))
    names = set(said["components"]["schemas"])

    assert said["openapi"].startswith("3.1")
    assert {part.split('"')[0] for part in json.dumps(said).split("#/components/schemas/")[1:]} <= names
