"""Secrets at rest move to the newest key, whatever interrupts it."""

import json
import os
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from allauth.mfa.models import Authenticator
from cryptography.fernet import InvalidToken
from django.conf import settings as portal_settings
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django.fixtures import Settings

from accounts.tests.cast import person
from core.audit import verify_chain
from core.encryption import decrypt, encrypt, is_current
from core.models import AuditEntry
from core.sealed import SealedColumn, registered, whole

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
OLD, NEW, LOST = "old key of the portal", "new key of the portal", "a key nobody has any more"
ROOT = Path(portal_settings.BASE_DIR)


@pytest.fixture(autouse=True)
def _old_key(settings: Settings) -> None:
    settings.ENCRYPTION_KEYS = [OLD]


def factor(owner: str, kind: str = "totp", /, **data: Any) -> int:
    """Store a second factor of somebody new and return its key."""
    row = Authenticator.objects.create(user=person(owner), type=kind, data=data)
    return int(row.pk)


def data_of(key: int) -> Any:
    """Return what is stored of a second factor."""
    return Authenticator.objects.values_list("data", flat=True).get(pk=key)


def run(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Run the command and return its exit code and its one column's report."""
    out, code = StringIO(), 0
    try:
        call_command("rotate_secrets", "--json", *arguments, stdout=out)
    except SystemExit as error:
        code = int(str(error.code))
    facts = json.loads(out.getvalue())
    assert facts["ok"] is (code == 0)
    columns = {column["column"]: column for column in facts["columns"]}
    return code, columns["mfa.authenticator.data"]


def test_every_encrypted_value_moves_to_the_newest_key(settings: Settings) -> None:
    """Keys of apps, seeds and single codes; the rest of a row, and public keys, stay as they are."""
    totp = factor("alice", secret=encrypt("JBSWY3DP"))
    seed = factor("bob", "recovery_codes", seed=encrypt("5eed"), used_mask=3)
    codes = factor("carol", "recovery_codes", migrated_codes=[encrypt("1111"), encrypt("2222")])
    key = factor("dave", "webauthn", name="blue", credential={"id": "x"})
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    code, found = run("--batch", "3")
    assert (code, found["rows"], found["rotated"], found["unreadable"]) == (0, 4, 4, 0)
    settings.ENCRYPTION_KEYS = [NEW]
    assert decrypt(data_of(totp)["secret"]) == "JBSWY3DP"
    assert decrypt(data_of(seed)["seed"]) == "5eed"
    assert data_of(seed)["used_mask"] == 3
    assert [decrypt(text) for text in data_of(codes)["migrated_codes"]] == ["1111", "2222"]
    assert data_of(key) == {"name": "blue", "credential": {"id": "x"}}


def test_second_run_changes_nothing(settings: Settings) -> None:
    """Not a byte and not an audit line."""
    key = factor("alice", secret=encrypt("JBSWY3DP"))
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    assert run()[1]["rotated"] == 1
    stored, told = data_of(key), AuditEntry.objects.count()
    code, found = run()
    assert (code, found["rotated"], found["current"]) == (0, 0, 1)
    assert (data_of(key), AuditEntry.objects.count()) == (stored, told)


def test_rotation_is_audited_without_what_was_encrypted(settings: Settings) -> None:
    """One line a batch that changed something, counts only."""
    for name in ("alice", "bob", "carol"):
        factor(name, secret=encrypt("JBSWY3DP"))
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    run("--batch", "2")
    entries = list(AuditEntry.objects.filter(act="encryption.rotated").order_by("seq"))
    assert [entry.changes["values"] for entry in entries] == [2, 1]
    assert {entry.subject for entry in entries} == {"mfa.authenticator.data"}
    assert "JBSWY3DP" not in str([entry.changes for entry in entries])
    assert verify_chain().holds


def test_value_that_no_key_opens_is_kept_named_and_fails_the_run(settings: Settings) -> None:
    """The others are rotated all the same; with its key back the next run succeeds."""
    settings.ENCRYPTION_KEYS = [LOST]
    lost = factor("alice", secret=encrypt("lost"))
    broken = factor("bob", secret="never encrypted")
    settings.ENCRYPTION_KEYS = [OLD]
    good = factor("carol", secret=encrypt("good"))
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    before = data_of(lost)
    code, found = run()
    assert (code, found["rotated"], found["unreadable"]) == (1, 1, 2)
    assert found["unreadable_rows"] == [lost, broken]
    assert data_of(lost) == before
    assert is_current(data_of(good)["secret"])
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("rotate_secrets", stdout=out)
    assert "2 that no key opens" in out.getvalue()
    assert f"rows {lost}, {broken}" in out.getvalue()
    Authenticator.objects.filter(pk=broken).delete()
    settings.ENCRYPTION_KEYS = [NEW, OLD, LOST]
    assert run()[0] == 0


def test_check_says_what_is_left_and_changes_nothing(settings: Settings) -> None:
    """The question to ask before an old key is given up."""
    key = factor("alice", secret=encrypt("JBSWY3DP"))
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    before = data_of(key)
    assert run("--check")[0] == 1
    assert (data_of(key), AuditEntry.objects.count()) == (before, 0)
    assert run()[0] == 0
    assert run("--check")[0] == 0


@pytest.mark.parametrize("rows", ["0", "-1", "many", "10001"])
def test_bad_usage_is_told_apart(rows: str) -> None:
    """A number of rows is wanted, and the code is not that of values which remain."""
    with pytest.raises((CommandError, SystemExit)) as caught:
        call_command("rotate_secrets", f"--batch={rows}")
    assert "1 to 10000" in str(caught.value)


def environment_of_this_database(folder: Path) -> dict[str, str]:
    """Return what lets another process work on the database of this test."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        (folder / "sreportal.sqlite3").symlink_to(name)
        address = ""
    else:
        address = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
    keys = {"ENCRYPTION_KEYS": f"{NEW},{OLD}", "SREPORTAL_DATA": str(folder)}
    return {**os.environ, "DATABASE_URL": address, **keys}


def test_killed_run_is_completed_by_the_next(
    transactional_db: None, settings: Settings, tmp_path: Path
) -> None:
    """SIGKILL in the middle: every row is old or new, none is lost, and the chain holds."""
    alice, count = person(), 400
    kind = {"user": alice, "type": "webauthn"}  # of which somebody may have many
    Authenticator.objects.bulk_create(
        Authenticator(**kind, data={"secret": encrypt(f"secret {number}")})
        for number in range(count)
    )
    rotation = subprocess.Popen(
        [sys.executable, "manage.py", "rotate_secrets", "--batch", "1", "--verbosity", "2"],
        cwd=ROOT,
        env=environment_of_this_database(tmp_path),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert rotation.stderr is not None
    with rotation.stderr as lines:
        assert any("5 rows" in line for line in lines)
        rotation.kill()
    assert rotation.wait() == -signal.SIGKILL

    settings.ENCRYPTION_KEYS = [NEW, OLD]
    secrets = [row["secret"] for row in Authenticator.objects.values_list("data", flat=True)]
    moved = sum(is_current(secret) for secret in secrets)
    assert 5 <= moved < count
    assert AuditEntry.objects.filter(act="encryption.rotated").count() == moved
    code, found = run()
    assert (code, found["rotated"], found["current"]) == (0, count - moved, moved)
    settings.ENCRYPTION_KEYS = [NEW]
    rows = Authenticator.objects.order_by("pk").values_list("data", flat=True)
    assert [decrypt(row["secret"]) for row in rows] == [f"secret {n}" for n in range(count)]
    assert verify_chain().holds


def test_what_is_encrypted_is_registered() -> None:
    """Whoever encrypts a new column names it in `core.sealed`, then here; else it is not rotated."""
    users = {
        path.relative_to(ROOT).as_posix()
        for path in ROOT.glob("[a-z]*/**/*.py")
        if "tests" not in path.parts and "import decrypt, encrypt" in path.read_text()
    }
    assert users == {
        "accounts/adapters.py",
        "incidents/services/integrations.py",
        "slo/services/source_health.py",
    }
    names = {column.name for column in registered()}
    assert names == {
        "core.keptanswer.sealed_body",
        "incidents.integration.signing_secret",
        "mfa.authenticator.data",
        "notifications.contactmethod.sealed_address",
        "notifications.contactmethod.sealed_old_secret",
        "notifications.contactmethod.sealed_secret",
        "oncall.overridefeed.sealed_url",
        "slo.source.credentials",
    }


def test_column_of_plain_text_is_replaced_as_a_whole() -> None:
    """Empty stays empty: there is nothing to open."""
    column = SealedColumn("accounts.User", "last_name")
    assert column.name == "accounts.user.last_name"
    assert whole("text", str.upper) == "TEXT"
    assert (whole("", str.upper), whole(None, str.upper)) == ("", None)


def test_text_of_another_key_does_not_open(settings: Settings) -> None:
    """Encryption with a key that is gone says so, and never returns rubbish."""
    text = encrypt("secret")
    settings.ENCRYPTION_KEYS = [NEW]
    with pytest.raises(InvalidToken):
        decrypt(text)
