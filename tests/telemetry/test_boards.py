"""What ships for Prometheus and Grafana names only metrics and labels that there are, and fits docker-compose.yml."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from outreach_stream.telemetry import metrics

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples/compose"
BOARD = json.loads((FOLDER / "grafana/outreach.json").read_text())
SCRAPES = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
ALERTS = [rule for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]

BY_NAME = {name: metric for metric in metrics.METRICS for name in metric.exposed}
OTHERS = {"up", "process_start_time_seconds", "process_resident_memory_bytes", "process_cpu_seconds_total"}
"""What Prometheus and its client say of any process."""
OF_SCRAPES = {"instance", "service", "job", "le"}

QUERIES = {f"{panel['title']}: {target['expr']}": target["expr"]
           for panel in BOARD["panels"] for target in panel.get("targets", ())} | {
           f"{rule['alert']}: {rule['expr']}": rule["expr"] for rule in ALERTS}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_a_query_names_metrics_and_labels_that_there_are(query: str) -> None:
    """A metric that was renamed, or a label that it has not, would be an empty panel or an alert that never comes."""
    named = set(re.findall(r"\b(?:outreach|process|python)_\w+|\bup\b", query))

    assert named
    assert named <= BY_NAME.keys() | OTHERS
    for name, selected in re.findall(r"\b(outreach_\w+)\{([^}]*)\}", query):
        assert set(re.findall(r"(\w+)(?:=~|!~|!=|=)\"", selected)) <= set(BY_NAME[name].labels)
    known = {label for name in named & BY_NAME.keys() for label in BY_NAME[name].labels} | OF_SCRAPES
    for grouped in re.findall(r"\b(?:by|on) \(([^)]*)\)", query):
        assert {label.strip() for label in grouped.split(",") if label.strip()} <= known


def test_nearly_every_metric_is_on_the_board_or_in_an_alert() -> None:
    """What nobody looks at need not be counted: those that are left are for looking up."""
    shown = " ".join(QUERIES.values())
    unseen = {metric.name for metric in metrics.METRICS if not any(name in shown for name in metric.exposed)}

    assert unseen == {"outreach_build_info", "outreach_worker_lag_records", "outreach_records_unfinished",
                      "outreach_schedules", "outreach_statuses_complete"}


def test_selected_values_are_values_that_there_are() -> None:
    """An outcome or a state that nobody counts would be selected in vain."""
    told = {"outcome": {"sent", "failed", "in_doubt", "throttled", "accepted"},
            "state": {"QUEUED", "INITIALIZING", "SENDING", "COMPLETED", "FAILED", "CANCELLED"},
            "role": {"aggregator", "dispatcher", "sender"}}

    for label, values in re.findall(r"(outcome|state|role)(?:=~|!~|!=|=)\"([^\"]*)\"", " ".join(QUERIES.values())):
        assert set(values.split("|")) <= told[label]


def test_every_alert_says_what_it_means_and_what_to_do() -> None:
    """Names are unique; each has a severity, a summary and an action."""
    assert len({rule["alert"] for rule in ALERTS}) == len(ALERTS)
    for rule in ALERTS:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"].keys() == {"summary", "action"}
        used = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
        assert used <= {label for metric in BY_NAME.values() for label in metric.labels} | OF_SCRAPES


def test_all_that_runs_is_scraped_where_it_listens() -> None:
    """Each service that tells metrics, at the port that it is given; and looked at by its health check."""
    workers = next(job for job in SCRAPES if job["job_name"] == "workers")["dns_sd_configs"][0]
    gateway = next(job for job in SCRAPES if job["job_name"] == "gateway")["static_configs"][0]["targets"]

    ours = {name for name, service in SERVICES.items() if service["image"] == "outreach-stream"} - {"topics"}
    assert {*workers["names"], "gateway"} == ours
    assert gateway == ["gateway:8000"]
    assert SERVICES["gateway"]["environment"]["OUTREACH_GATEWAY_NAMES"] == "gateway"
    for name in workers["names"]:
        environment = SERVICES[name]["environment"]
        assert environment["OUTREACH_METRICS_PORT"] == str(workers["port"])
        assert environment["OUTREACH_METRICS_HOST"] == "0.0.0.0"
        assert f":{workers['port']}/live" in SERVICES[name]["healthcheck"]["test"][-1]
        assert "ports" not in SERVICES[name]


def test_grafana_finds_its_board_and_its_prometheus() -> None:
    """Files are where its settings say; the board's default source is the one that is set up."""
    mounted = dict(volume.removesuffix(":ro").rsplit(":", 1)[::-1] for name in ("grafana", "prometheus")
                   for volume in SERVICES[name]["volumes"] if volume.startswith("./"))
    assert all((ROOT / source).is_file() for source in mounted.values())
    assert SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] in mounted
    boards = yaml.safe_load((FOLDER / "grafana/dashboards.yml").read_text())["providers"][0]["options"]["path"]
    assert f"{boards}/outreach.json" in mounted

    (source,) = yaml.safe_load((FOLDER / "grafana/datasources.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert BOARD["templating"]["list"][0]["current"]["value"] == source["uid"]
    assert "/etc/prometheus/alerts.yml" in mounted


def test_panels_have_places_of_their_own() -> None:
    """No two panels lie over each other, none is wider than the board, and ids are unique."""
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
