"""`manage.py doctor`: what it finds, and that it fails when something is wrong."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.test import Client, override_settings

from accounts.models import User
from accounts.roles import Role
from core import ticks
from sreportal.diagnosis import PROCESSES, Verdict, examine

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def verdicts(now: datetime = NOW) -> dict[str, Verdict]:
    """Return the verdict by name."""
    return {finding.name: finding.verdict for finding in examine(now=now)}


def test_silent_process_is_wrong_a_living_one_is_well() -> None:
    """A process counts as alive for a minute after its last sign."""
    assert verdicts()["worker"] is Verdict.WRONG
    for process in PROCESSES:
        ticks.beat(process, now=NOW)
    assert verdicts(NOW + timedelta(seconds=59))["worker"] is Verdict.OK
    assert verdicts(NOW + timedelta(seconds=61))["beat"] is Verdict.WRONG


def test_dead_broker_is_named() -> None:
    """An address where nobody answers is found within seconds."""
    with override_settings(CELERY_BROKER_URL="redis://127.0.0.1:1/0", FILE_BROKER=False):
        assert verdicts()["broker"] is Verdict.WRONG


def test_it_says_what_it_cannot_see() -> None:
    """Nothing unseen is reported as well."""
    assert {"other machines", "email"} <= {n for n, v in verdicts().items() if v is Verdict.BLIND}


def test_email_that_is_only_printed_is_said(client: Client) -> None:
    """Without a mail server nobody is reached by email: the doctor and the person's page say so."""
    client.force_login(User.objects.create_user("ann", role=Role.RESPONDER))
    assert "No mail server is set" not in client.get("/contact/").content.decode()
    with override_settings(EMAIL_BACKEND="django.core.mail.backends.console.EmailBackend"):
        assert verdicts()["email"] is Verdict.NOTE
        page = client.get("/contact/").content.decode()
    assert "No mail server is set" in page
    assert "only your account" not in page


def test_json_and_exit_status_agree(capsys: pytest.CaptureFixture[str]) -> None:
    """Scripts read `ok`; the exit status is 1 exactly when it is false."""
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", "--json")
    body = json.loads(capsys.readouterr().out)
    assert ended.value.code == 1
    assert body["ok"] is False
    assert {"name", "verdict", "detail"} == set(body["findings"][0])
