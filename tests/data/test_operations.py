"""What operators are given fits the gateway: every expression parses, every metric exists, every alert has its runbook.

PromQL is parsed and type-checked by `promql-parser`, which is not ours. A metric exists when a scrape shows it.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import promql_parser as promql
import psycopg
import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from gateway.cli.here import ALONE
from gateway.exchange_log.audit import AuditEvent
from gateway.journey import (
    work,
)
from gateway.ports import KINDS, Reading
from gateway.store.figures import CALENDARS, CLOCK, FIGURES, UP
from gateway.store.migrate import APP_ROLE
from gateway.telemetry.metrics import Metrics, Standing

FOLDER = Path(__file__).resolve().parents[2] / "gateway" / "operations"
RUNBOOK = (FOLDER / "README.md").read_text(encoding="utf-8")
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text("utf-8"))["groups"] for rule in group["rules"]
]
SCRAPING: dict[str, Any] = yaml.safe_load((FOLDER / "prometheus.yaml").read_text("utf-8"))
DASHBOARD: dict[str, Any] = orjson.loads((FOLDER / "dashboard.json").read_bytes())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
PARTS = ("Means", "Hurts", "Look", "Do", "Over")
TARGET = {"job", "instance", "process"}
PROMETHEUS_OWN = {"up": TARGET}


@cache
def scraped() -> dict[str, set[str]]:
    """Every series a scrape can show, with its labels: each thing an observer sees, seen once."""
    metrics = Metrics(rounds=("deliver", *ALONE), alone=ALONE, tasks=("wake", "journey"))
    event = AuditEvent("delivery.attempted", "gateway", "x", partner="KEIS")
    metrics.acted([event, event.refused("unreachable")])
    metrics.held("journey", 1.0)
    metrics.attempted("KEIS", "after", 1.0)
    metrics.answered("outcomes", 200, 1.0)
    metrics.woken("wake")
    standing = [Reading(f.name, f.labels, f.says, [(f.labels, 1.0)]) for f in FIGURES]
    standing += [Reading(*UP, [((), 1.0)]), Reading(*CLOCK, [((), 0.0)]), Reading(*CALENDARS, [(("KR",), 0.0)])]
    metrics.registry.register(Standing(lambda: standing))
    found = {name: set(labels) for name, labels in PROMETHEUS_OWN.items()}
    for family in text_string_to_metric_families(generate_latest(metrics.registry).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, set(TARGET)).update(sample.labels)
    return found


def expressions() -> Iterator[tuple[str, str]]:
    for rule in RULES:
        yield rule["alert"], rule["expr"]
    for panel in PANELS:
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$__rate_interval", "5m").replace("$partner", ".*")


def selectors(expression: str) -> list[promql.VectorSelector]:
    """Every metric that an expression reads. Raises ValueError when it is no PromQL, or its types do not fit."""
    found: list[promql.VectorSelector] = []

    def look(node: promql.Expr) -> bool:
        if isinstance(node, promql.VectorSelector):
            found.append(node)
        elif isinstance(node, promql.MatrixSelector):
            found.append(node.vector_selector)
        return True

    promql.walk(promql.parse(expression), look)
    return found


def metrics(expression: str) -> Iterator[str]:
    """The names of the metrics that an expression reads: it reads each by its name."""
    for one in selectors(expression):
        assert one.name, expression
        yield one.name


ALL = list(expressions())


@pytest.mark.parametrize(("where", "expression"), ALL, ids=[f"{n}-{where}" for n, (where, _) in enumerate(ALL)])
def test_every_expression_is_promql_over_metrics_and_labels_that_a_scrape_shows(where: str, expression: str) -> None:
    read = selectors(expression)
    assert read, where
    for one in read:
        assert one.name in scraped(), f"{where}: no metric {one.name}"
        labels = {matcher.name for matcher in one.matchers.matchers}
        assert labels <= scraped()[one.name], f"{where}: {one.name} has no labels {labels - scraped()[one.name]}"


@pytest.mark.parametrize("wrong", ["rate(gateway_acts_total)", "sum(", 'gateway_acts_total{act="x"', "nonsense(up)"])
def test_what_is_no_promql_is_found_out(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        selectors(wrong)


def test_labels_that_are_summed_by_or_shown_are_labels_of_what_is_read() -> None:
    summed, shown_as = set[str](), set[str]()
    for where, expression in ALL:
        shown = {label for names in re.findall(r"by \(([^)]+)\)", expression) for label in names.split(", ")}
        known = {label for name in metrics(expression) for label in scraped()[name]}
        assert shown <= known, where
        summed |= shown
    for panel in PANELS:
        for target in panel["targets"]:
            legend = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            known = {
                label for name in metrics(target["expr"].replace("$__rate_interval", "5m")) for label in scraped()[name]
            }
            assert legend <= known, panel["title"]
            shown_as |= legend
    assert "partner" in summed & shown_as


def test_every_metric_of_ours_is_watched_somewhere() -> None:
    watched = {name for _, expression in ALL for name in metrics(expression)}
    ours = {name for name in scraped() if name.startswith("gateway_") and not name.endswith(("_created", "_sum"))}
    unseen = {
        name for name in ours if name not in watched and not {name, _family(name)} & {_family(w) for w in watched}
    }
    assert unseen == set()


def _family(name: str) -> str:
    return re.sub(r"_(bucket|count|sum|total)\Z", "", name)


# ── alerts and their runbook ─────────────────────────────────────────────────────────────────────────────────────────
SECTIONS = dict(re.findall(r"^### (Gateway\w+)\n(.*?)(?=^##|\Z)", RUNBOOK, re.DOTALL | re.MULTILINE))


def test_every_alert_has_its_section_and_every_section_its_alert_in_the_same_order() -> None:
    assert list(SECTIONS) == [rule["alert"] for rule in RULES]


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_an_alert_says_how_grave_it_is_what_is_wrong_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert rule["labels"].keys() == {"severity"}
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"].keys() == {"summary", "runbook_url"}
    assert rule["annotations"]["runbook_url"].endswith(f"/operations/README.md#{rule['alert'].lower()}")
    said = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    grouped = re.search(r"by \(([^)]+)\)", rule["expr"])
    kept = set(grouped.group(1).split(", ")) - {"le"} if grouped else TARGET
    assert said <= kept


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_says_what_it_means_whom_it_hurts_where_to_look_what_to_do_and_when_it_is_over(name: str) -> None:
    assert re.findall(r"^\* \*\*(\w+):\*\* ?", SECTIONS[name], re.MULTILINE) == list(PARTS)
    for part in re.split(r"^\* \*\*\w+:\*\*", SECTIONS[name], flags=re.MULTILINE)[1:]:
        assert len(part.split()) >= 2


STATEMENTS = re.findall(r"^ *```sql\n(.*?)^ *```", RUNBOOK, re.DOTALL | re.MULTILINE)


def as_a_login(database: str) -> psycopg.Connection:
    """What the runbook's `psql` is: the rights of a login that may only work, and the options that stand there."""
    [given] = re.findall(r"^(?:PGOPTIONS='([^']*)' )?psql \"\$GATEWAY_DATABASE_URL\"", RUNBOOK, re.MULTILINE)
    return psycopg.connect(database, options=f"{given} -c role={APP_ROLE} -c default_transaction_read_only=on")


def test_every_statement_of_the_runbook_runs_and_only_looks(database: str) -> None:
    assert len(STATEMENTS) > 10
    with as_a_login(database) as connection:
        for statement in STATEMENTS:
            connection.execute(statement)


def test_the_statements_of_the_runbook_see_the_rows_that_are_there(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as books:
        books.execute(
            "insert into delivery (partner, mid, case_no, seq, state, next_at, first_at)"
            " values ('KEIS', gen_random_uuid(), '20260000000001', 1, 'ready', now(), now() - interval '5 days')"
        )
    about = [one for one in STATEMENTS if re.search(r"\bfrom delivery\b", one) and "'ready'" in one]
    assert len(about) == 2
    with as_a_login(database) as connection:
        for statement in about:
            assert len(connection.execute(statement).fetchall()) == 1


def test_the_runbook_names_those_who_owe_an_answer_and_nobody_who_has_answered(database: str) -> None:
    legs = [("R1", "requested", -1, 30), ("R2", "in-progress", -9, 30), ("R3", "in-progress", -9, -1),
            ("R4", "completed", -9, -1), ("R5", "received", 0, 30)]  # fmt: skip
    with psycopg.connect(database, autocommit=True) as books:
        books.execute("insert into referral values ('Q', 'c', 1, 'active', now(), now())")
        for ref_no, status, answer, result in legs:
            books.execute(
                "insert into leg (ref_no, request_no, case_no, case_version, partner, person_id, state, status,"
                " services, legal_basis, first_answer_due, result_due, updated_at) values (%s, 'Q', %s, 1, 'KEIS', 'p',"
                " %s, %s, '{}', 'LB-01', (now() at time zone 'Asia/Seoul')::date + %s,"
                " (now() at time zone 'Asia/Seoul')::date + %s, now())",
                (ref_no, ref_no, status, status, answer, result),
            )
    [statement] = re.findall(r"```sql\n(.*?)```", SECTIONS["GatewayAnswersOverdue"], re.DOTALL)
    with as_a_login(database) as connection:
        assert {row[1] for row in connection.execute(statement)} == {"R1", "R3"}


def test_the_runbook_finds_what_the_door_could_not_answer_and_what_broke_it(tmp_path: Path) -> None:
    shown = ['{"error":"KeyError","at":["a.py:1 b"],"event":"request.broken"}',
             '{"route":"outcomes","status":503,"event":"request.answered"}']  # fmt: skip
    others = ['{"route":"outcomes","status":401,"event":"request.answered"}', '{"event":"referral.sent"}']
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "door.log").write_text("\n".join([*shown, *others, ""]))
    [command] = re.findall(r"```sh\n(.*?)```", SECTIONS["GatewayDoorFails"], re.DOTALL)
    said = subprocess.run(
        ["env", f"GATEWAY_HOME={tmp_path}", "bash", "-c", command], capture_output=True, text=True, check=True
    )
    assert said.stdout.splitlines() == shown


def test_every_event_and_setting_the_runbook_looks_for_is_written_somewhere() -> None:
    code = "\n".join(path.read_text("utf-8") for path in FOLDER.parent.rglob("*.py"))
    commands = "\n".join(re.findall(r"^ *```sh\n(.*?)^ *```", RUNBOOK, re.DOTALL | re.MULTILINE))
    events = re.findall(r"grep -h (?:'\"event\":\")?([a-z]+\.[a-z]+)", commands)
    events += [f"{first}.{other}" for first, other in re.findall(r"\b([a-z]+)\\\.([a-z]+)", commands)]
    groups = re.findall(r"\b([a-z]+)\\\.\(([\w|]+)\)", commands)
    assert len(events) > 6
    assert len(groups) > 1
    for event in events:
        assert f'"{event}"' in code, event
    for first, others in groups:
        assert all(f'"{first}.{other}"' in code for other in others.split("|"))


def test_the_runbook_says_whom_each_kind_of_work_is_for_and_which_end_by_themselves() -> None:
    said = dict(re.findall(r"`([a-z-]+(?:-…)?)`(\*?)", SECTIONS["GatewayWorkWaits"]))
    assert set(said) >= KINDS | {"delivery-dead", "delivery-blocked", "outcome-…"}
    assert {kind for kind, mark in said.items() if mark} == work.ENDS_BY_ITSELF


def test_the_runbook_looks_into_the_home_of_the_work_and_not_into_that_of_the_demo() -> None:
    assert ".gateway/" not in RUNBOOK


# ── the dashboard and the scraping ───────────────────────────────────────────────────────────────────────────────────
def test_the_dashboard_asks_the_chosen_source_and_its_panels_do_not_overlap() -> None:
    assert {t["datasource"]["uid"] for p in PANELS for t in p["targets"]} == {"${datasource}"}
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_whatever_wakes_somebody_can_be_looked_at() -> None:
    shown = " ".join(target["expr"] for panel in PANELS for target in panel["targets"])
    woken_by = {name for rule in RULES for name in re.findall(r"gateway_\w+", rule["expr"])}
    assert len(woken_by) > 10
    assert {name for name in woken_by if name not in shown} == set()


def test_prometheus_asks_the_door_and_the_ports_after_it_and_reads_these_rules() -> None:
    (job,) = SCRAPING["scrape_configs"]
    targets = {t: group["labels"]["process"] for group in job["static_configs"] for t in group["targets"]}
    assert targets == {"127.0.0.1:9464": "door", "127.0.0.1:9465": "worker", "127.0.0.1:9466": "worker"}
    assert job["job_name"] == "gateway"
    assert SCRAPING["rule_files"] == ["alerts.yaml"]
