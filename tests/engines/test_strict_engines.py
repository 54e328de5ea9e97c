"""A catalog of engines is checked before anything runs: every problem of every engine, in one go, without a secret."""

import pytest

from outreach_stream.catalog.folder import FolderCatalog

SECRET = "SG.marked-plain-secret"
"""What somebody wrote where a reference belongs."""

ENGINES = {
    "smtp": (f"{{kind: smtp, host: relay.example, port: 99999, username: me, password: {SECRET}, tls: yes, rate: -1, "
             "timeouts: {connect: 15, data: 10m, reply: 5s}}"),
    "sendgrid": f"{{kind: sendgrid, api_key: {SECRET}, region: asia, sandbox: maybe, concurrency: 0, categories: [a]}}",
    "ses": (f"{{kind: ses, access_key_id: AKIAEXAMPLE, secret_access_key: {SECRET}, session_token: {SECRET}, "
            "burst: 0, retries: 3}"),
    "mailgun": (f"{{kind: mailgun, api_key: {SECRET}, domain: https://mg.example.com, region: asia, test_mode: 2, "
                "base_url: 'http://proxy.example/v3', connections: {idle: 15}}"),
    "memory": f"{{kind: memory, host: relay.example, hourly: 1.5, api_key: {SECRET}}}",
    "pigeon": f"{{kind: pigeon, api_key: {SECRET}, daily: 0}}",
}

FIELDS = {
    "smtp": {"port", "password", "tls", "rate", "timeouts.connect", "timeouts.reply"},
    "sendgrid": {"api_key", "region", "sandbox", "concurrency", "categories"},
    "ses": {"region", "secret_access_key", "session_token", "burst", "retries"},
    "mailgun": {"api_key", "domain", "region", "test_mode", "base_url", "connections.idle"},
    "memory": {"host", "hourly", "api_key"},
    "pigeon": {"kind", "daily"},
}


@pytest.fixture
def problems(tmp_path):
    """Those of the catalog above."""
    (tmp_path / "engines").mkdir()
    for name, text in ENGINES.items():
        (tmp_path / "engines" / f"{name}.yaml").write_text(text)
    return FolderCatalog(tmp_path).read().problems


def test_every_problem_of_every_engine_at_once(problems):
    """Each has its file and its field; none hides another, in its file or elsewhere."""
    found = {name: {each.field for each in problems if each.file == f"engines/{name}.yaml"} for name in ENGINES}
    assert found == FIELDS
    assert len(problems) == sum(map(len, FIELDS.values()))


def test_each_problem_says_what_to_write_instead(problems):
    """The message is for whoever has the file open."""
    said = {(each.file.removeprefix("engines/").removesuffix(".yaml"), each.field): each.message for each in problems}
    for field in (("smtp", "password"), ("sendgrid", "api_key"), ("ses", "secret_access_key"), ("mailgun", "api_key")):
        assert 'must not be a plain secret: write "env:NAME"' in said[field]
    for field in (("smtp", "tls"), ("sendgrid", "categories"), ("ses", "retries"), ("memory", "api_key")):
        assert said[field] == "is not known here: remove it or correct its spelling"
    assert said["ses", "region"] == "is missing: add it"
    assert said["mailgun", "domain"] == 'must be the domain as Mailgun lists it: write for example "mg.example.com"'
    assert said["mailgun", "region"] == "Input should be 'us' or 'eu'"
    assert said["mailgun", "base_url"].startswith("must be ")
    assert "write for example" in said["smtp", "timeouts.connect"]
    assert "write one of mailgun, memory, sendgrid, ses, smtp" in said["pigeon", "kind"]


def test_a_plain_secret_is_repeated_nowhere(problems):
    """Neither in a message nor in the whole of the problems, whatever field it was written into."""
    assert SECRET not in repr(problems)
    assert "marked" not in str(list(map(str, problems)))


@pytest.mark.parametrize("line", [
    f"api_key: !{SECRET}", f"api_key: *{SECRET}", f"api_key: &{SECRET} &b x", f"api_key: !{SECRET}!x y",
    f"api_key: @{SECRET}", f"api_key: '{SECRET}'x", f"api_key: {{{SECRET}", f"api_key: {SECRET}: x",
    f"api_key: !!int {SECRET}", f"api_key: !!timestamp {SECRET}", f"api_key: !!binary {SECRET}", f"%{SECRET}",
    f"? {{{SECRET}: 1}}\n: 2", f"2026-13-45: {SECRET}", f"7: {SECRET}", f"- {SECRET}",
    f"api_key: {'[' * 5_000}{SECRET}",
])
def test_a_file_that_is_no_yaml_repeats_no_secret(tmp_path, line):
    """Keys may hold what YAML takes for a tag, an alias or a date: one problem of the file, and never its text."""
    (tmp_path / "engines").mkdir()
    (tmp_path / "engines" / "relay.yaml").write_text(f"kind: mailgun\n{line}\n")
    [problem] = FolderCatalog(tmp_path).read().problems
    assert problem.file == "engines/relay.yaml"
    assert "marked" not in str(problem)
