"""Two people change one thing in the same moment: what both did stands."""

from datetime import timedelta
from typing import Any

import pytest

from catalog.models import Service
from core.clock import now
from core.errors import Conflict, NotFound
from incidents.domain.heartbeats import Sign
from incidents.models import Heartbeat, Integration, Silence
from incidents.services import heartbeats, silences
from incidents.services.acts import Acts
from incidents.services.heartbeats import save_heartbeat
from incidents.services.integrations import rotate_key, save_integration, with_key
from incidents.services.silences import end_silence, save_silence
from incidents.tests.senders import integration_of

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def silence_of(service: Service, **fields: Any) -> Silence:
    said = {
        "service": service,
        "starts_at": now(),
        "ends_at": now() + timedelta(hours=5),
        "comment": "Disks are exchanged.",
    }
    return save_silence(Silence(), fields=said | fields, actor="test", now=now())


def sign(heartbeat: Heartbeat, what: Sign) -> None:
    acts = Acts()
    heartbeats.ping(heartbeat, what, acts, now=now())
    acts.record(now=now())


def test_renaming_an_integration_leaves_the_key_that_was_replaced_meanwhile() -> None:
    integration, old = integration_of("generic")
    as_read = Integration.objects.get()
    new = rotate_key(integration, actor="test", now=now())
    save_integration(as_read, fields={"name": "Renamed"}, actor="test", now=now())
    assert with_key(old) is None
    opened = with_key(new)
    assert opened is not None
    assert opened.name == as_read.name == "Renamed"
    assert as_read.key_hint == new[-4:]


def test_a_comment_does_not_go_on_with_a_silence_that_was_ended_meanwhile() -> None:
    integration, _ = integration_of("generic")
    silence = silence_of(integration.service)
    as_read = Silence.objects.get()
    ended = end_silence(silence, actor="test", now=now())
    with pytest.raises(Conflict):
        save_silence(as_read, fields={"comment": "Cables."}, actor="test", now=now())
    assert Silence.objects.get().ends_at == ended.ends_at


def test_renaming_a_heartbeat_leaves_the_sign_that_came_meanwhile() -> None:
    integration, _ = integration_of("healthchecks")
    heartbeat = heartbeats.named(integration, "backup")
    sign(heartbeat, Sign.FAIL)
    as_read = Heartbeat.objects.get()
    sign(heartbeat, Sign.SUCCESS)
    saved = save_heartbeat(as_read, fields={"name": "Backup"}, actor="test", now=now())
    stored = Heartbeat.objects.get()
    assert (stored.name, stored.state, stored.last_sign) == ("Backup", "up", "success")
    assert stored.due_at == saved.due_at is not None


def test_what_was_deleted_meanwhile_is_not_there_again() -> None:
    integration, _ = integration_of("healthchecks")
    heartbeat = heartbeats.named(integration, "backup")
    as_read = Heartbeat.objects.get()
    heartbeats.delete_heartbeat(heartbeat, actor="test", now=now())
    with pytest.raises(NotFound):
        save_heartbeat(as_read, fields={"name": "Backup"}, actor="test", now=now())
    with pytest.raises(NotFound):
        heartbeats.delete_heartbeat(as_read, actor="test", now=now())
    assert not Heartbeat.objects.exists()


def test_what_others_changed_is_neither_undone_nor_told_as_changed() -> None:
    """The audit tells of what was different when it was changed, not when it was read."""
    integration, _ = integration_of("generic")
    silence = silence_of(integration.service)
    as_read = Silence.objects.get()
    silences.save_silence(silence, fields={"comment": "Cables."}, actor="one", now=now())
    later = silence.ends_at + timedelta(hours=1)
    saved = save_silence(as_read, fields={"ends_at": later}, actor="other", now=now())
    assert (saved.comment, saved.ends_at) == ("Cables.", later)
