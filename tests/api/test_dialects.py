"""What the dialects ask, and how they read what the recordings do not show."""

from __future__ import annotations

import json
from typing import Any

import pytest

from triggerdev_exporter.api.dialects.probe import DIALECTS, probe_call
from triggerdev_exporter.api.dialects.wire import clean
from triggerdev_exporter.api.meter import ENDPOINTS
from triggerdev_exporter.errors import Unreadable
from triggerdev_exporter.records import (
    Batch,
    Deployment,
    Enrichment,
    ErrorGroup,
    Page,
    Queue,
    Run,
    RunError,
    Schedule,
)
from triggerdev_exporter.statuses import RunStatus

TRIGGER, SEED = DIALECTS["trigger"], DIALECTS["seed"]
RUN = {"id": "run_1", "status": "QUEUED", "taskIdentifier": "t", "createdAt": "2026-11-23T18:30:00.123Z"}
AT = 1_795_458_600_123


def read(call: Any, answer: Any) -> Any:
    return call.decode(answer if isinstance(answer, bytes) else json.dumps(answer).encode())


def without(record: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != key}


# --- what is asked


def test_every_endpoint_is_in_the_closed_set() -> None:
    calls = [probe_call()]
    for dialect in (TRIGGER, SEED):
        calls += [
            dialect.runs(created_from=1),
            dialect.run("r"),
            dialect.run_error("r"),
            dialect.queues(),
            dialect.batch("b"),
            dialect.schedules(),
            dialect.deployments(),
            *filter(
                None,
                (
                    dialect.current_deployment(),
                    dialect.deployment_tasks("d"),
                    dialect.tokens(),
                    dialect.token("w"),
                    dialect.enrichment(),
                    dialect.errors(seconds=60),
                ),
            ),
        ]
    assert {call.endpoint for call in calls} == set(ENDPOINTS)
    assert all(hash(call.endpoint) and call.path.startswith("/api/") for call in calls)


def test_how_the_seed_asks_for_runs() -> None:
    call = SEED.runs(created_from=AT, only_open=True, cursor="run_9")
    assert call.params == (
        ("filter[createdAt.from]", "2026-11-23T18:30:00.123Z"),
        ("page[size]", "100"),
        ("filter[status]", "QUEUED"),
        ("filter[status]", "EXECUTING"),
        ("filter[status]", "REATTEMPTING"),
        ("filter[status]", "WAITING_FOR_DEPLOY"),
        ("filter[status]", "WAITING_TO_RESUME"),
        ("filter[status]", "DELAYED"),
        ("page[after]", "run_9"),
    )


def test_how_trigger_asks_for_runs() -> None:
    assert TRIGGER.runs(created_from=AT).params == (("filter[createdAt][from]", str(AT)), ("page[size]", "100"))
    assert dict(TRIGGER.runs(created_from=-5).params)["filter[createdAt][from]"] == "1"


def test_other_paths_and_parameters() -> None:
    assert SEED.run("run_1").path == "/api/v1/runs/run_1"
    assert TRIGGER.run("run_1").path == "/api/v3/runs/run_1"
    assert SEED.batch("b").path == "/api/v1/batches/b"
    assert TRIGGER.batch("b/c").path == "/api/v2/batches/b%2Fc"
    assert TRIGGER.queues("3").params == (("perPage", "100"), ("page", "3"))
    assert TRIGGER.deployments("d").params == (("page[size]", "100"), ("page[after]", "d"))
    tokens = TRIGGER.tokens(created_from=7, only_open=True, cursor="c")
    assert tokens is not None
    assert set(tokens.params) == {
        ("page[size]", "100"),
        ("filter[status]", "WAITING"),
        ("filter[createdAt][from]", "7"),
        ("page[after]", "c"),
    }


def test_what_the_seed_cannot_tell() -> None:
    assert SEED.current_deployment() is None
    assert SEED.deployment_tasks("d") is None
    assert SEED.tokens() is None
    assert SEED.token("w") is None
    assert SEED.enrichment() is None
    assert SEED.errors(seconds=60) is None
    assert (TRIGGER.name, SEED.name) == ("trigger", "seed")


def test_one_fixed_query() -> None:
    first, second = TRIGGER.enrichment(), TRIGGER.enrichment()
    assert first is not None
    assert second is not None
    assert first.body == second.body
    body = json.loads(first.body or b"")
    assert body.pop("query").endswith("is_finished = 0 ORDER BY triggered_at DESC LIMIT 10000")
    assert body == {"scope": "environment", "period": "7d", "format": "json"}


# --- the probe


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ({"data": [], "pagination": {"currentPage": 1}}, "trigger"),
        ({"data": [{}]}, "trigger"),
        ([], "seed"),
        ([{}], "seed"),
    ],
)
def test_the_probe_names_a_dialect(answer: Any, name: str) -> None:
    assert read(probe_call(), answer) == name


@pytest.mark.parametrize("answer", [{}, {"error": "no"}, 5, None, "trigger"])
def test_the_probe_does_not_guess(answer: Any) -> None:
    with pytest.raises(Unreadable):
        read(probe_call(), answer)


# --- runs


@pytest.mark.parametrize("dialect", [TRIGGER, SEED], ids=lambda dialect: dialect.name)
class TestRuns:
    def test_the_least_that_a_run_says(self, dialect: Any) -> None:
        expected = Run(id="run_1", task="t", status=RunStatus.QUEUED, created_at=AT)
        assert read(dialect.run("run_1"), RUN) == expected
        assert read(dialect.runs(created_from=1), {"data": [RUN]}) == Page((expected,))
        assert read(dialect.runs(created_from=1), [RUN]) == Page((expected,))

    @pytest.mark.parametrize("pagination", [None, {}, {"next": None}, {"next": ""}, {"previous": "p"}])
    def test_no_cursor(self, dialect: Any, pagination: Any) -> None:
        page = read(dialect.runs(created_from=1), {"data": [RUN], "pagination": pagination})
        assert page.next is None

    def test_null_is_absent(self, dialect: Any) -> None:
        nulls = [
            "updatedAt",
            "startedAt",
            "finishedAt",
            "version",
            "isTest",
            "tags",
            "relatedRuns",
            "durationMs",
            "env",
        ]
        assert read(dialect.run("run_1"), RUN | dict.fromkeys([*nulls, "attempts", "depth"])) == Run(
            id="run_1", task="t", status=RunStatus.QUEUED, created_at=AT
        )

    @pytest.mark.parametrize("key", list(RUN))
    @pytest.mark.parametrize("value", [None, 5, "", [], {}])
    def test_a_run_without_its_bones_spoils_the_page(self, dialect: Any, key: str, value: Any) -> None:
        with pytest.raises(Unreadable, match=r"\$.*"):
            read(dialect.runs(created_from=1), {"data": [RUN, RUN | {key: value}]})
        with pytest.raises(Unreadable, match=key):
            read(dialect.runs(created_from=1), {"data": [without(RUN, key)]})

    @pytest.mark.parametrize(
        ("text", "at"),
        [
            ("2026-11-23T18:30:00Z", AT - 123),
            ("2026-11-23T18:30:00.1Z", AT - 23),
            ("2026-11-23T18:30:00.123999Z", AT),
            ("2026-11-23T19:30:00.123+01:00", AT),
            ("2026-11-23T18:30:00.123", AT),
            ("1970-01-01T00:00:00.001Z", 1),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ],
    )
    def test_times_are_exact(self, dialect: Any, text: str, at: int) -> None:
        assert read(dialect.run("r"), RUN | {"createdAt": text}).created_at == at

    @pytest.mark.parametrize(
        "text", ["10000-01-01T00:00:00Z", "+012026-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "today", "2026-11-23", "0"]
    )
    def test_times_that_are_none(self, dialect: Any, text: str) -> None:
        with pytest.raises(Unreadable):
            read(dialect.run("r"), RUN | {"finishedAt": text})

    def test_a_status_of_tomorrow_is_open(self, dialect: Any) -> None:
        assert read(dialect.run("r"), RUN | {"status": "TELEPORTING"}).status is RunStatus.UNKNOWN

    def test_family(self, dialect: Any) -> None:
        related = {"root": {"id": "run_r"}, "parent": {"id": "run_p"}, "children": [{"id": "x", "payload": {}}] * 3}
        run = read(dialect.run("r"), RUN | {"relatedRuns": related})
        assert (run.root_id, run.parent_id) == ("run_r", "run_p")

    def test_the_users_data_is_not_looked_at(self, dialect: Any) -> None:
        run = RUN | {"payload": {"a": [1e99, None]}, "output": "x" * 9999, "metadata": {"deep": {}}, "error": 5}
        assert read(dialect.run("r"), run).id == "run_1"

    def test_half_a_surrogate_in_the_users_data_hides_nothing(self, dialect: Any) -> None:
        whole = '"\\ud83d\\ude00 \\\\ud800"'
        body = json.dumps(RUN)[:-1] + ', "metadata": "\\ud83d x", "tags": ["a\\udc00b", ' + whole + "]}"
        assert read(dialect.run("r"), body.encode()).tags == ("a�b", "\U0001f600 \\ud800")

    def test_a_broken_byte_in_a_name_hides_nothing(self, dialect: Any) -> None:
        body = json.dumps(RUN | {"taskIdentifier": "t@"}).encode().replace(b"@", b"\xff")
        assert read(dialect.run("r"), body).task == "t�"

    def test_labels_are_clean(self, dialect: Any) -> None:
        run = read(dialect.run("r"), RUN | {"taskIdentifier": "a\nb\x00" + "é" * 200, "version": "", "tags": ["\x7f"]})
        assert run.task.startswith("a�b�é")
        assert len(run.task.encode()) <= 256
        assert run.version is None
        assert run.tags == ("�",)

    def test_nested_beyond_reason(self, dialect: Any) -> None:
        deep = json.dumps(RUN)[:-1].encode() + b', "payload": ' + b"[" * 99_999 + b"]" * 99_999 + b"}"
        with pytest.raises(Unreadable, match="nested"):
            read(dialect.run("r"), deep)


@pytest.mark.parametrize(
    ("costs", "nanousd"),
    [
        ({}, None),
        ({"costInCents": None}, None),
        ({"costInCents": 0, "baseCostInCents": 0}, 0),
        ({"costInCents": 0.1, "baseCostInCents": 0.2}, 3_000_000),
        ({"costInCents": 0.0000123}, 123),
        ({"baseCostInCents": 2.5e-5}, 250),
        ({"costInCents": -1}, None),
    ],
)
def test_money_is_whole_nano_dollars(costs: dict[str, Any], nanousd: int | None) -> None:
    assert read(TRIGGER.run("r"), RUN | costs).cost_nanousd == nanousd


@pytest.mark.parametrize("amount", ["1e999", "-1e999", "1e300", "NaN", "Infinity", '"1"', "true"])
@pytest.mark.parametrize("field", ["costInCents", "durationMs"])
def test_amounts_that_are_none(amount: str, field: str) -> None:
    body = json.dumps(RUN)[:-1] + f', "{field}": {amount}}}'
    with pytest.raises(Unreadable):
        read(TRIGGER.run("r"), body.encode())


def test_attempts() -> None:
    assert read(TRIGGER.run("r"), RUN | {"attemptCount": 3, "attempts": []}).attempts == 3
    assert read(SEED.run("r"), RUN | {"attempts": [{"id": "a"}, {}]}).attempts == 2
    assert read(SEED.run("r"), RUN | {"attempts": []}).attempts == 0


# --- queues


def test_queues_of_the_seed() -> None:
    answer = [
        {"name": "task/a", "paused": False, "concurrencyLimit": 3, "currentConcurrency": 2, "depth": 7},
        {"name": "mail", "paused": True, "currentConcurrency": 0, "depth": 0},
    ]
    first = Queue(name="task/a", type="task", task="a", queued=7, running=2, paused=False, concurrency_limit=3)
    second = Queue(name="mail", type="", task=None, queued=0, running=0, paused=True, concurrency_limit=None)
    assert read(SEED.queues(), answer) == Page((first, second))
    assert read(SEED.queues(), {"data": answer, "pagination": None}) == Page((first, second))


@pytest.mark.parametrize("key", ["depth", "currentConcurrency", "name"])
@pytest.mark.parametrize("value", [None, -1, 1.5, "7", 2**60])
def test_an_unknown_depth_is_not_zero(key: str, value: Any) -> None:
    queue = {"name": "mail", "currentConcurrency": 0, "depth": 0}
    if key == "name" and value == "7":
        value = 7
    with pytest.raises(Unreadable):
        read(SEED.queues(), [queue | {key: value}])
    with pytest.raises(Unreadable):
        read(SEED.queues(), [without(queue, key)])


@pytest.mark.parametrize(
    ("pagination", "following"),
    [
        ({"currentPage": 1, "totalPages": 2, "count": 37}, "2"),
        ({"currentPage": 2, "totalPages": 2}, None),
        ({"currentPage": 1, "totalPages": 0}, None),
        ({"currentPage": 1}, None),
        (None, None),
    ],
)
def test_numbered_pages(pagination: Any, following: str | None) -> None:
    assert read(TRIGGER.queues(), {"data": [], "pagination": pagination}).next == following
    assert read(TRIGGER.schedules(), {"data": [], "pagination": pagination}).next == following


def test_a_queue_of_a_type_of_tomorrow() -> None:
    queue = {"id": "q", "name": "x", "type": "shared", "running": 1, "queued": 2, "version": "V2"}
    assert read(TRIGGER.queues(), [queue]).items[0].type == ""


# --- batches

TIMES = {"createdAt": "2026-11-23T18:30:00Z", "updatedAt": "2026-11-23T18:31:00Z"}


@pytest.mark.parametrize(
    ("status", "count", "runs", "processing", "created", "failed"),
    [
        ("PENDING", 10, 4, {"errors": []}, 4, 0),  # the others are still to come
        ("PROCESSING", 10, 4, {"errors": [{"index": 0}]}, 4, 1),
        ("PENDING", 10, 9, {"errors": [{"index": 0}], "completedAt": TIMES["updatedAt"]}, 9, 1),
        ("COMPLETED", 10, 10, {"errors": []}, 10, 0),
        ("COMPLETED", 10, 10, None, 10, 0),
        ("PARTIAL_FAILED", 10, 7, {"errors": [{"index": i} for i in range(3)]}, 7, 3),
        ("PARTIAL_FAILED", 10, 7, {"errors": [{"index": 0, "errorCode": "QUEUE_SIZE_LIMIT_EXCEEDED"}]}, 7, 3),
        ("ABORTED", 10, 0, {"errors": [{"index": 0}]}, 0, 10),
        ("ABORTED", 10, 0, {}, 0, 10),
        ("SOMETHING_NEW", 10, 4, {}, 4, 0),
    ],
)
def test_items_of_a_batch(status: str, count: int, runs: int, processing: Any, created: int, failed: int) -> None:
    told = {"id": "b", "status": status, "runCount": count, "runs": ["run_x"] * runs, "processing": processing, **TIMES}
    batch = read(TRIGGER.batch("b"), told)
    assert (batch.items_created, batch.items_failed) == (created, failed)
    assert batch.status == (status if status != "SOMETHING_NEW" else "UNKNOWN")


@pytest.mark.parametrize(
    ("told", "batch"),
    [
        (
            {"status": "FAILED", "totalCount": 5, "failedCount": 2, "completedAt": TIMES["updatedAt"]},
            Batch(
                id="b",
                status="ABORTED",
                created_at=AT - 123,
                updated_at=AT - 123 + 60_000,
                items_created=3,
                items_failed=2,
            ),
        ),
        (
            {"status": "PROCESSING", "totalCount": 5, "completedCount": 1, "failedCount": None, "completedAt": None},
            Batch(
                id="b", status="PROCESSING", created_at=AT - 123, updated_at=AT - 123, items_created=5, items_failed=0
            ),
        ),
    ],
)
def test_batches_of_the_seed(told: dict[str, Any], batch: Batch) -> None:
    assert read(SEED.batch("b"), {"id": "b", "createdAt": TIMES["createdAt"], **told}) == batch


# --- schedules and deployments


@pytest.mark.parametrize("dialect", [TRIGGER, SEED], ids=lambda dialect: dialect.name)
def test_the_least_that_a_schedule_says(dialect: Any) -> None:
    assert read(dialect.schedules(), [{"id": "s", "task": "t"}]).items == (
        Schedule(id="s", task="t", type="IMPERATIVE", cron="", timezone="UTC", active=True, next_run=None),
    )


def test_deployments_of_the_seed_know_their_tasks() -> None:
    told = {"id": "d", "version": "1", "status": "TOMORROW", "createdAt": TIMES["createdAt"]}
    tasks = [{"identifier": "a", "filePath": "a.ts"}, {"identifier": "b\n"}]
    assert read(SEED.deployments(), [told | {"tasks": tasks}, told]).items == (
        Deployment(id="d", status="UNKNOWN", version="1", created_at=AT - 123, tasks=("a", "b�")),
        Deployment(id="d", status="UNKNOWN", version="1", created_at=AT - 123),
    )


@pytest.mark.parametrize("worker", [None, {}, {"tasks": None}, {"tasks": []}])
def test_a_deployment_without_a_worker_has_no_tasks(worker: Any) -> None:
    call = TRIGGER.deployment_tasks("d")
    assert read(call, {"id": "d", "worker": worker}) == ()


# --- errors


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ({"errorType": "SmtpError", "errorMessage": "said 502"}, "SmtpError"),
        ({"errorType": "BUILT_IN_ERROR", "errorMessage": "said 502"}, "Error"),
        ({"errorType": "INTERNAL_ERROR", "errorMessage": "trigger.dev internal error (OOM)"}, "OOM"),
        ({"errorType": None, "errorMessage": None}, "Error"),
        ({}, "Error"),
    ],
)
def test_a_group_of_errors(told: dict[str, Any], name: str) -> None:
    call = TRIGGER.errors(seconds=900, task="a b", version="1")
    assert call is not None
    assert call.params == (
        ("filter[period]", "900s"), ("page[size]", "25"), ("filter[taskIdentifier]", "a b"), ("filter[version]", "1"),
    )  # fmt: skip
    item = {"id": "error_1", "taskIdentifier": "a b", "count": 3, "resolvedAt": None, **told}
    (group,) = read(call, {"data": [item], "pagination": {}}).items
    expected = RunError(name=name, message=told.get("errorMessage") or "")
    assert group == ErrorGroup(task="a b", error=expected, count=3)


@pytest.mark.parametrize("item", [{}, {"taskIdentifier": "a"}, {"taskIdentifier": "a", "count": -1}, "error_1"])
def test_a_group_that_is_none(item: Any) -> None:
    with pytest.raises(Unreadable, match="errors: "):
        read(TRIGGER.errors(seconds=60), {"data": [item]})


# --- enrichment


def test_empty_texts_of_a_row_are_none() -> None:
    row = {
        "run_id": "run_1",
        "queue": "",
        "batch_id": "",
        "root_run_id": None,
        "queued_at": "2026-11-23 18:30:00.123",
        "dequeued_at": "",
        "attempt_count": 2,
        "is_finished": 1,
        "project": "proj_x",
        "environment": "prod",
        "environment_type": "PRODUCTION",
    }
    expected = Enrichment(
        run_id="run_1",
        attempts=2,
        queued_at=AT,
        is_finished=True,
        project="proj_x",
        environment="prod",
        environment_type="PRODUCTION",
    )
    assert read(TRIGGER.enrichment(), {"format": "json", "results": [row]}) == (expected,)


@pytest.mark.parametrize(
    "row",
    [{}, {"run_id": ""}, {"run_id": "r", "queued_at": "yesterday"}, {"run_id": "r", "is_finished": "1"}, "run_1"],
)
def test_a_row_that_is_none(row: Any) -> None:
    with pytest.raises(Unreadable, match="query: "):
        read(TRIGGER.enrichment(), {"results": [row]})


def test_csv_is_not_what_was_asked_for() -> None:
    with pytest.raises(Unreadable):
        read(TRIGGER.enrichment(), {"format": "csv", "results": "run_id\nrun_1"})


@pytest.mark.parametrize(("moment", "at"), [(True, None), (None, None)])
def test_the_epoch_of_clickhouse_is_no_time(moment: bool | None, at: int | None) -> None:
    told = "1970-01-01 00:00:00.000" if moment else None
    rows = read(TRIGGER.enrichment(), {"results": [{"run_id": "r", "dequeued_at": told}]})
    assert rows[0].dequeued_at is at


# --- label values


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("send-email", "send-email"),
        ("task/ü", "task/ü"),
        ("a\u00a0b", "a\u00a0b"),
        ("a\tb\x1b[0m", "a�b�[0m"),
        ("a\ud800b", "a�b"),
        ("x" * 300, "x" * 256),
        ("é" * 128, "é" * 128),
        ("é" * 129, "é" * 128),
        ("x" + "é" * 128, "x" + "é" * 127),
        ("😀" * 65, "😀" * 64),
    ],
)
def test_clean(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned
