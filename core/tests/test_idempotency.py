"""`Idempotency-Key`: what is sent again is done once."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from accounts.services.tokens import create_token, revoke_token
from accounts.tests.cast import signed_in
from catalog.models import Team
from core.clock import now
from core.idempotency import KEPT_FOR, forget_answers
from core.models import AuditEntry, KeptAnswer

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
TEAM = {"slug": "payments", "name": "Payments"}


@pytest.fixture
def api() -> Client:
    return signed_in(Role.ADMIN)


def post(api: Client, body: Any, key: str | None = "k1", path: str = "teams/") -> Any:
    return api.post(
        f"/api/v1/{path}",
        body,
        content_type="application/json",
        headers={} if key is None else {"Idempotency-Key": key},
    )


def test_a_request_sent_again_is_answered_the_same_and_done_once(api: Client) -> None:
    first, again = post(api, TEAM), post(api, TEAM)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert first.headers["Content-Type"] == again.headers["Content-Type"]
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["Cache-Control"] == "no-store"
    assert Team.objects.count() == 1
    assert AuditEntry.objects.filter(act="team.created").count() == 1
    assert "payments" not in KeptAnswer.objects.get().sealed_body


def test_without_a_key_it_is_another_request(api: Client) -> None:
    assert post(api, TEAM, key=None).status_code == 201
    assert post(api, TEAM, key=None).status_code in {400, 409}


def test_a_key_is_for_one_request(api: Client) -> None:
    post(api, TEAM)
    answer = post(api, {**TEAM, "slug": "search"})
    assert answer.status_code == 409
    assert answer.json()["errors"] == {
        "Idempotency-Key": ["This key was used for another request."]
    }
    assert Team.objects.count() == 1


def test_keys_of_others_are_others(api: Client) -> None:
    post(api, TEAM)
    other = signed_in(Role.MANAGER)
    assert post(other, {**TEAM, "slug": "search"}).status_code in {201, 403}


def test_a_refusal_is_not_kept(api: Client) -> None:
    """Mended, the request may go under the same key."""
    assert post(api, {"slug": "!"}).status_code == 400
    assert post(api, TEAM).status_code == 201


@pytest.mark.parametrize("key", ["x" * 201, "a\tb", ""])
def test_what_is_no_key_is_said(api: Client, key: str) -> None:
    answer = post(api, TEAM, key=key)
    assert answer.status_code == 400
    assert "Idempotency-Key" in answer.json()["errors"]
    assert not Team.objects.exists()


def test_strangers_learn_nothing_from_a_key(api: Client) -> None:
    post(api, TEAM)
    answer = post(Client(), TEAM)
    assert answer.status_code in {401, 403}


def test_answers_are_forgotten_after_a_day(api: Client) -> None:
    post(api, TEAM)
    KeptAnswer.objects.update(created_at=now() - KEPT_FOR + timedelta(minutes=1))
    assert forget_answers() == 0
    KeptAnswer.objects.update(created_at=now() - KEPT_FOR - timedelta(minutes=1))
    assert forget_answers() == 1


def test_a_role_that_was_lowered_gets_no_earlier_answer(api: Client) -> None:
    assert post(api, TEAM).status_code == 201
    User.objects.filter(role=Role.ADMIN).update(role=Role.VIEWER)
    refused = post(api, TEAM)
    assert refused.status_code == 403
    assert "Idempotency-Replayed" not in refused.headers
    User.objects.filter(role=Role.VIEWER).update(role=Role.ADMIN)
    assert post(api, TEAM).headers["Idempotency-Replayed"] == "true"


def test_a_token_that_was_revoked_gets_no_earlier_answer(
    django_capture_on_commit_callbacks: Any,
) -> None:
    admin = User.objects.create_user("root", role=Role.ADMIN)
    token, secret = create_token(user=admin, name="t", scopes=["write"], now=now())
    client = Client(headers={"Authorization": f"Bearer {secret}"})
    assert post(client, TEAM).status_code == 201
    assert post(client, TEAM).headers["Idempotency-Replayed"] == "true"
    with django_capture_on_commit_callbacks(execute=True):
        revoke_token(token, actor=admin, now=now())
    assert post(client, TEAM).status_code == 401
    assert Team.objects.count() == 1


def test_a_credential_is_the_same_whatever_its_scheme_is_called() -> None:
    admin = User.objects.create_user("ada", role=Role.ADMIN)
    _, secret = create_token(
        user=admin, name="ci", scopes=["read", "write"], expires_at=None, actor=admin, now=now()
    )
    for scheme in ("Bearer", "bearer", "Token"):
        client = Client(headers={"Authorization": f"{scheme} {secret}"})
        assert post(client, TEAM).status_code == 201
    assert Team.objects.count() == 1
