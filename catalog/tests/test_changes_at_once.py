"""Two people change one thing in the same moment: what both did stands."""

from typing import Any

import pytest

from catalog.models import Service, Team
from catalog.services.services import delete_service, update_service
from catalog.services.teams import delete_team, update_team
from core.clock import now
from core.errors import NotFound
from core.models import AuditEntry

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def test_a_service_keeps_what_others_change_while_somebody_edits_it() -> None:
    service = Service.objects.create(slug="web", name="Web")
    as_read, too_late = Service.objects.get(), Service.objects.get()
    update_service(service, values={"tier": 1}, now=now())
    changes = update_service(as_read, values={"name": "Shop", "tier": 1}, now=now())
    assert changes == {"name": ["Web", "Shop"]}
    delete_service(service, now=now())
    with pytest.raises(NotFound):
        update_service(too_late, values={"name": "Again"}, now=now())
    assert not Service.objects.exists()


def test_a_team_keeps_what_others_change_while_somebody_edits_it() -> None:
    team = Team.objects.create(slug="web", name="Web")
    as_read, too_late = Team.objects.get(), Team.objects.get()
    update_team(team, values={"contact": "#web"}, now=now())
    changes = update_team(as_read, values={"name": "Shop", "contact": "#web"}, now=now())
    assert changes == {"name": ["Web", "Shop"]}
    delete_team(team, now=now())
    with pytest.raises(NotFound):
        update_team(too_late, values={"name": "Again"}, now=now())
    assert not Team.objects.exists()


def test_what_is_deleted_twice_is_told_once() -> None:
    """Whoever comes second learns that it is gone already."""
    kinds: tuple[tuple[Any, Any], ...] = ((Service, delete_service), (Team, delete_team))
    for kind, delete in kinds:
        row = kind.objects.create(slug="web", name="Web")
        as_read = kind.objects.get()
        delete(row, now=now())
        with pytest.raises(NotFound):
            delete(as_read, now=now())
    assert AuditEntry.objects.filter(act__endswith=".deleted").count() == 2
