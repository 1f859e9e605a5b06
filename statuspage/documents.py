"""The page as programs read it: documents in the shape of Statuspage's API v2."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings

from incidents.domain.communication import PublicState
from statuspage.addresses import public_address
from statuspage.domain.statuses import Status, worst
from statuspage.models import ComponentGroup
from statuspage.queries.incidents import Published, Update
from statuspage.queries.maintenance import Planned, Stage
from statuspage.queries.snapshots import Shown, Snapshot

__all__ = ["DOCUMENTS", "OF_HISTORY", "written"]

# As many as Statuspage has.
_MOST_INCIDENTS = 50
_SAID_OF = {
    Stage.IN_PROGRESS: "Scheduled maintenance is currently in progress.",
    Stage.COMPLETED: "The scheduled maintenance has been completed.",
}
Document = dict[str, Any]


def written(at: datetime | None) -> str | None:
    """Return an instant as the documents have it."""
    return None if at is None else f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def page_id() -> str:
    """Return the name of this page, which its address has."""
    return hashlib.sha256(public_address().encode()).hexdigest()[:12]


def _page(snapshot: Snapshot) -> Document:
    return {
        "id": page_id(),
        "name": settings.STATUSPAGE_NAME,
        # Programs add paths that begin with a slash.
        "url": public_address().rstrip("/"),
        "time_zone": "Etc/UTC",
        "updated_at": written(snapshot.updated_at),
    }


def _status(snapshot: Snapshot) -> Document:
    indicator, description = snapshot.overall
    return {"indicator": str(indicator), "description": description}


def _component(shown: Shown, position: int) -> Document:
    component = shown.component
    group = component.group
    return {
        "id": component.public_id,
        "name": component.name,
        "status": str(shown.status),
        "created_at": written(component.created_at),
        "updated_at": written(shown.changed_at),
        "position": position,
        "description": component.description or None,
        "showcase": bool(component.slo_id),
        "start_date": None,
        "group_id": group.public_id if group else None,
        "page_id": page_id(),
        "group": False,
        "only_show_if_degraded": False,
    }


def _group(group: ComponentGroup, shown: Sequence[Shown], position: int) -> Document:
    return {
        "id": group.public_id,
        "name": group.name,
        "status": str(worst(one.status for one in shown)),
        "created_at": written(group.created_at),
        "updated_at": written(max([group.updated_at, *(one.changed_at for one in shown)])),
        "position": position,
        "description": None,
        "showcase": False,
        "start_date": None,
        "group_id": None,
        "page_id": page_id(),
        "group": True,
        "only_show_if_degraded": False,
        "components": [one.component.public_id for one in shown],
    }


def _components(snapshot: Snapshot) -> list[Document]:
    """Return each group before its components; those without one come first."""
    standing, found, place = _standing(snapshot), [], 0
    for section in snapshot.sections:
        if section.group:
            place += 1
            found.append(_group(section.group, section.shown, place))
        else:
            place += len(section.shown)
        found += [standing[one.component.pk] for one in section.shown]
    return found


def _positions(snapshot: Snapshot) -> dict[int, int]:
    """Return the place of each component among those beside it."""
    return {
        one.component.pk: place
        for section in snapshot.sections
        for place, one in enumerate(section.shown, 1)
    }


def _update(update: Update, incident: Published, *, is_first: bool) -> Document:
    return {
        "id": update.public_id,
        "status": str(update.state),
        "body": update.text,
        "incident_id": incident.public_id,
        "created_at": written(update.at),
        "updated_at": written(update.at),
        "display_at": written(update.at),
        "affected_components": _effects(update, incident, is_first=is_first),
        "deliver_notifications": True,
        "custom_tweet": None,
        "tweet_id": None,
    }


def _effects(update: Update, incident: Published, *, is_first: bool) -> list[Document] | None:
    """Return from what to what an update brought each component, by what the incident affects now."""
    well, is_last = str(Status.OPERATIONAL), update.state is PublicState.RESOLVED
    return [
        {
            "code": one.component.public_id,
            "name": one.component.name,
            "old_status": well if is_first else str(one.status),
            "new_status": well if is_last else str(one.status),
        }
        for one in incident.affected
    ] or None


def _incident(incident: Published, standing: Mapping[int, Document]) -> Document:
    # One that is shown since the components were read has no status yet.
    parts = [one.component.pk for one in incident.affected if one.component.pk in standing]
    first = incident.updates[-1]
    return {
        "id": incident.public_id,
        "name": incident.title,
        "status": str(incident.state),
        "created_at": written(incident.started_at),
        "updated_at": written(incident.updated_at),
        "monitoring_at": written(incident.monitoring_at),
        "resolved_at": written(incident.resolved_at),
        "impact": str(incident.impact),
        "shortlink": public_address(f"incidents/{incident.public_id}/"),
        "started_at": written(incident.started_at),
        "page_id": page_id(),
        "incident_updates": [
            _update(update, incident, is_first=update is first) for update in incident.updates
        ],
        "components": [standing[pk] for pk in parts],
        "reminder_intervals": None,
    }


def _maintenance(work: Planned, standing: Mapping[int, Document]) -> Document:
    return {
        "id": work.public_id,
        "name": work.title,
        "status": str(work.stage),
        "created_at": written(work.created_at),
        "updated_at": written(work.updated_at),
        "monitoring_at": None,
        "resolved_at": written(work.told_at.get(Stage.COMPLETED)),
        "impact": "maintenance",
        "shortlink": public_address(f"#maintenance-{work.public_id}"),
        "started_at": written(work.starts_at),
        "page_id": page_id(),
        "incident_updates": _updates_of(work),
        "components": [standing[part.pk] for part in work.components],
        "reminder_intervals": None,
        "scheduled_for": written(work.starts_at),
        "scheduled_until": written(work.ends_at),
    }


def _updates_of(work: Planned) -> list[Document]:
    """Return an update for each stage that was reached, the last one first; ids stay."""
    numbers = {stage: number for number, stage in enumerate(Stage, 1)}
    return [
        {
            "id": f"{work.public_id}-{numbers[stage]}",
            "status": str(stage),
            "body": _SAID_OF.get(stage) or work.text or work.title,
            "incident_id": work.public_id,
            "created_at": written(at),
            "updated_at": written(work.changed_at if stage is Stage.SCHEDULED else at),
            "display_at": written(at),
            "affected_components": None,
            "deliver_notifications": True,
            "custom_tweet": None,
            "tweet_id": None,
        }
        for stage, at in work.told_at.items()
    ]


def _incidents(snapshot: Snapshot, chosen: Sequence[Published]) -> list[Document]:
    standing = _standing(snapshot)
    return [_incident(one, standing) for one in chosen]


def _work(snapshot: Snapshot, *stages: Stage) -> list[Document]:
    standing = _standing(snapshot)
    return [_maintenance(one, standing) for one in snapshot.maintenance if one.stage in stages]


def _standing(snapshot: Snapshot) -> dict[int, Document]:
    positions = _positions(snapshot)
    return {
        one.component.pk: _component(one, positions[one.component.pk]) for one in snapshot.shown
    }


def _last(snapshot: Snapshot) -> list[Published]:
    """Return the newest incidents; what is open is never left out."""
    return [
        one
        for place, one in enumerate(snapshot.incidents)
        if place < _MOST_INCIDENTS or one.is_open
    ]


def _summary(snapshot: Snapshot) -> Document:
    return {
        "components": _components(snapshot),
        "incidents": _incidents(snapshot, snapshot.open_incidents),
        "scheduled_maintenances": _work(snapshot, Stage.SCHEDULED, Stage.IN_PROGRESS),
        "status": _status(snapshot),
    }


def _of_work(*stages: Stage) -> Callable[[Snapshot], Document]:
    def document(snapshot: Snapshot) -> Document:
        return {"scheduled_maintenances": _work(snapshot, *stages)}

    return document


def _framed(content: Callable[[Snapshot], Document]) -> Callable[[Snapshot], Document]:
    def document(snapshot: Snapshot) -> Document:
        return {"page": _page(snapshot), **content(snapshot)}

    return document


# By path below `api/v2/`, without `.json`.
DOCUMENTS: dict[str, Callable[[Snapshot], Document]] = {
    "summary": _framed(_summary),
    "status": _framed(lambda snapshot: {"status": _status(snapshot)}),
    "components": _framed(lambda snapshot: {"components": _components(snapshot)}),
    "incidents": _framed(lambda each: {"incidents": _incidents(each, _last(each))}),
    "incidents/unresolved": _framed(
        lambda each: {"incidents": _incidents(each, each.open_incidents)}
    ),
    "scheduled-maintenances": _framed(_of_work(*Stage)),
    "scheduled-maintenances/upcoming": _framed(_of_work(Stage.SCHEDULED)),
    "scheduled-maintenances/active": _framed(_of_work(Stage.IN_PROGRESS)),
}
# Those that reach back as far as anything is kept.
OF_HISTORY = frozenset({"incidents"})
