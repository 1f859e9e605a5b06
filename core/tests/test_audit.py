"""The audit chain."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from catalog.models import Service
from core.append_only import guard, lift
from core.audit import GENESIS, Act, record, record_all, verify_chain
from core.inserts import Inserts, made
from core.models import AuditEntry

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def written(**values: Any) -> AuditEntry:
    """Record something and return the entry."""
    facts: dict[str, Any] = {"act": "slo.changed", "subject": "slo.slo:1", "actor": "user:alice"}
    with transaction.atomic():
        record(**{**facts, "now": NOON, **values})
    return AuditEntry.objects.latest("seq")


def tampered(sql: str, *values: str) -> None:
    """Change a stored entry as somebody would who owns the database."""
    with connection.cursor() as cursor:
        for statement in lift(connection.vendor, "core_auditentry"):
            cursor.execute(statement)
        cursor.execute(sql, values)
        for statement in guard(connection.vendor, "core_auditentry", key="seq"):
            cursor.execute(statement)


def test_entries_are_chained_from_the_first() -> None:
    """The first follows 64 zeros, each later one the hash before it, numbered without holes."""
    first, second = written(), written(act="slo.deleted")
    assert (first.seq, first.prev_hash) == (1, GENESIS)
    assert (second.seq, second.prev_hash) == (2, first.hash)
    report = verify_chain()
    assert report.holds
    assert (report.entries, report.head_seq, report.head_hash) == (2, 2, second.hash)


def test_empty_chain_holds() -> None:
    """Before anything was done there is nothing to doubt."""
    report = verify_chain()
    assert report.holds
    assert (report.entries, report.head_seq, report.head_hash) == (0, 0, GENESIS)


@pytest.mark.parametrize(
    "value",
    [0.1, 1e100, 10**30, NOON, timedelta(hours=1), "\0", "\ud800", "é", None, True, [1, [2.5]]],
    ids=str,
)
def test_what_is_stored_hashes_as_what_was_written(value: object) -> None:
    """No value that a service may hand in is changed by the database's way of keeping it."""
    written(changes={"value": value, "nested": {"value": [value]}})
    assert verify_chain().holds


@pytest.mark.parametrize("text", ["disk", 'é "😀" \\ \u2028', "\x7f\t", "</script>"])
def test_anybody_can_compute_a_hash(text: str) -> None:
    """It is SHA-256 of what it covers as JSON: names in order, nothing between them, ASCII."""
    entry = written(act=text, subject=text, actor=text, changes={text: [text, 1], "a": {}})
    covered = {
        **{name: getattr(entry, name) for name in ("act", "actor", "subject", "changes", "seq")},
        "at": "2026-03-02T12:00:00.000000+00:00",
        "prev_hash": entry.prev_hash,
    }
    canonical = json.dumps(covered, sort_keys=True, separators=(",", ":"))
    assert entry.hash == hashlib.sha256(canonical.encode()).hexdigest()


@pytest.mark.parametrize(
    ("sql", "broken_at", "reason"),
    [
        ("UPDATE core_auditentry SET actor = 'user:bob' WHERE seq = 2", 2, "was changed"),
        ("DELETE FROM core_auditentry WHERE seq = 2", 2, "is missing"),
        ("DELETE FROM core_auditentry WHERE seq = 1", 1, "is missing"),
        ("UPDATE core_auditentry SET hash = '0' WHERE seq = 3", 3, "was changed"),
        ("UPDATE core_auditentry SET prev_hash = '0' WHERE seq = 3", 3, "does not follow"),
        ("UPDATE core_auditentry SET changes = '[]' WHERE seq = 2", 2, "was changed"),
    ],
)
def test_tampering_is_found_where_it_happened(sql: str, broken_at: int, reason: str) -> None:
    """A changed, removed or re-linked entry breaks the chain at its own place."""
    for number in range(3):
        written(changes={"number": number})
    tampered(sql)
    report = verify_chain()
    assert not report.holds
    assert report.broken_at == broken_at
    assert reason in report.reason


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE core_auditentry SET actor = 'user:bob'",
        "DELETE FROM core_auditentry",
    ],
)
def test_database_refuses_to_change_entries(sql: str) -> None:
    """Not even SQL changes or removes an entry."""
    entry = written()
    with (
        pytest.raises(IntegrityError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql)
    assert AuditEntry.objects.get() == entry


def test_database_refuses_to_replace_entries() -> None:
    """The ways around UPDATE and DELETE are closed too: TRUNCATE, and INSERT OR REPLACE."""
    written()
    sql = {
        "postgresql": "TRUNCATE core_auditentry",
        "sqlite": "INSERT OR REPLACE INTO core_auditentry"
        " SELECT seq, at, 'user:bob', act, subject, changes, prev_hash, hash FROM core_auditentry",
    }[connection.vendor]
    with (
        pytest.raises(IntegrityError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql)
    assert AuditEntry.objects.get().actor == "user:alice"


def test_secrets_never_reach_the_chain() -> None:
    """A value is masked by the name of its field and by its shape, at any depth."""
    entry = written(
        actor="Bearer srp_0123456789_abcdefgh",
        changes={
            "password": ["old", "new"],
            "url": "https://alice:hunter2@example.com/",
            "nested": {"api_key": "k", "note": "uses srp_0123456789_abcdefgh"},
            "scopes": ["read"],
        },
    )
    text = json.dumps(entry.changes) + entry.actor
    for secret in ("old", "new", "hunter2", "abcdefgh", '"k"'):
        assert secret not in text
    assert entry.changes["scopes"] == ["read"]


def test_recording_outside_a_transaction_is_refused(transactional_db: None) -> None:
    """An entry commits with what it tells of, or not at all."""
    with pytest.raises(RuntimeError, match="share the transaction"):
        record(act="slo.changed", subject="x", actor=None, now=NOON)


def test_rolled_back_work_leaves_no_entry(transactional_db: None) -> None:
    """What did not happen is not told, and leaves no hole in the numbering."""

    def fail() -> None:
        with transaction.atomic():
            record(act="slo.changed", subject="x", actor=None, now=NOON)
            raise ValueError

    with pytest.raises(ValueError):
        fail()
    assert written().seq == 1


def test_concurrent_writers_keep_one_chain(transactional_db: None) -> None:
    """Transactions that end in any order still append one after the other."""

    def write(number: int) -> None:
        try:
            written(changes={"number": number})
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=6) as pool:
        list(pool.map(write, range(30)))
    report = verify_chain()
    assert report.holds
    assert report.entries == 30


def test_view_shows_the_chain_to_sql_readers() -> None:
    """`ev_audit` has the promised columns."""
    entry = written()
    with connection.cursor() as cursor:
        cursor.execute("SELECT seq, actor, act, object, prev_hash, hash FROM ev_audit")
        rows = cursor.fetchall()
    assert rows == [(1, "user:alice", "slo.changed", "slo.slo:1", GENESIS, entry.hash)]


def run(*arguments: str) -> tuple[int, str]:
    """Run `audit_verify` and return its exit code and output."""
    out = StringIO()
    try:
        call_command("audit_verify", *arguments, stdout=out)
    except CommandError as error:
        return error.returncode, str(error)
    except SystemExit as error:
        return int(str(error.code)), out.getvalue()
    return 0, out.getvalue()


def test_command_says_whether_the_chain_holds() -> None:
    """Exit 0 with the head while it holds, 1 with the place once it does not."""
    entry = written()
    code, text = run()
    assert code == 0
    assert f"1:{entry.hash}" in text
    tampered("UPDATE core_auditentry SET act = 'x'")
    code, text = run()
    assert code == 1
    assert "entry 1 was changed" in text
    code, text = run("--json")
    assert code == 1
    assert json.loads(text)["broken_at"] == 1
    assert json.loads(text)["holds"] is False


def test_command_finds_a_cut_off_tail_by_a_noted_head() -> None:
    """A shorter chain holds by itself; a head noted earlier shows what is gone."""
    written()
    noted = written()
    assert run("--expect", f"2:{noted.hash}")[0] == 0
    tampered("DELETE FROM core_auditentry WHERE seq = 2")
    assert run()[0] == 0
    code, text = run("--expect", f"2:{noted.hash}")
    assert code == 1
    assert "no longer part" in text


@pytest.mark.parametrize("head", ["", "x:y", "12", f"-1:{GENESIS}"])
def test_command_refuses_a_malformed_head(head: str) -> None:
    """Bad usage is told apart from a broken chain."""
    with pytest.raises((CommandError, SystemExit)) as caught:
        call_command("audit_verify", f"--expect={head}")
    assert "SEQ:HASH" in str(caught.value)


def test_flush_empties_the_audit_and_guards_it_again(transactional_db: None) -> None:
    """Beginning anew is possible; afterwards the table is append-only as before."""
    written()
    call_command("flush", interactive=False, verbosity=0)
    assert AuditEntry.objects.count() == 0
    written()
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        AuditEntry.objects.update(actor="user:bob")


def test_rows_are_written_on_the_way_to_the_chain() -> None:
    """What entries tell of goes to the database before the chain is locked, and with the same message."""
    inserts, one = Inserts(), made(Service, slug="one", name="One")
    inserts.add(one)
    act = Act("service.created", "catalog.service:one", "user:alice")
    with transaction.atomic(), CaptureQueriesContext(connection) as queries:
        record_all([act], now=NOON, inserts=inserts)
    assert Service.objects.get().slug == "one"
    assert AuditEntry.objects.get().act == "service.created"
    assert not inserts.waits(one)
    statements = [query["sql"] for query in queries]
    (lock,) = [sql for sql in statements if "core_auditentry ORDER BY seq" in sql]
    if connection.vendor == "postgresql":
        assert lock.startswith("EXECUTE ")
    else:
        assert "INSERT" in statements[statements.index(lock) - 1]


def test_rows_of_which_nothing_is_told_are_written() -> None:
    """And the chain is left alone."""
    inserts = Inserts()
    inserts.add(made(Service, slug="one", name="One"))
    with transaction.atomic():
        record_all([], now=NOON, inserts=inserts)
    assert Service.objects.exists()
    assert not AuditEntry.objects.exists()
