"""What is to be known before new alerts are stored, in one question to PostgreSQL.

Most alerts of a storm are new: nothing open has their keys, no incident is open for their groups. One
statement, planned once a connection, says that of a whole batch and reserves its primary keys; only
where it finds something is that read, and locked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection
from django.db.models import Model

from core import bulk, prepared
from incidents.domain.lifecycle import OPEN, Status
from incidents.models import Alert, InboundEvent, Incident
from incidents.queries.configuration import REVISION

__all__ = ["TAKING", "UNKNOWN", "Outlook", "look_ahead"]

# Of an incident, where another alert of its group may belong to it.
TAKING = [*sorted(OPEN), Status.MERGED]
Condition = tuple[int, str]

_STATUSES = ", ".join(f"'{status}'" for status in TAKING)
_OF_CONDITION = "FROM incidents_alert WHERE integration_id = k.i AND dedup_key = k.d"
_CONDITIONS = "FROM unnest($2::bigint[], $3::text[], $4::boolean[]) AS k (i, d, is_dated)"
# One look-up in an index for each row of `k`, whatever the planner thinks of tables it never counted.
_SQL = f"""
    SELECT
        (SELECT token FROM core_revision WHERE name = $1),
        coalesce((SELECT bool_or((SELECT true {_OF_CONDITION} AND state = 'firing'
            AND integration_id IS NOT NULL LIMIT 1)) {_CONDITIONS}), false),
        coalesce((SELECT bool_or((SELECT true {_OF_CONDITION} AND state = 'resolved'
            AND sender_at IS NOT NULL LIMIT 1)) {_CONDITIONS} WHERE is_dated), false),
        coalesce((SELECT bool_or((SELECT true {_OF_CONDITION} AND state = 'resolved'
            AND opened_at > $9 LIMIT 1)) {_CONDITIONS}), false),
        coalesce((SELECT bool_or((SELECT true FROM incidents_incident
            WHERE "group" = k.g AND status IN ({_STATUSES}) LIMIT 1)) FROM unnest($5::text[]) AS k (g)), false),
        ARRAY(SELECT nextval('incidents_inboundevent_id_seq') FROM generate_series(1, $6)),
        ARRAY(SELECT nextval('incidents_alert_id_seq') FROM generate_series(1, $7)),
        ARRAY(SELECT nextval('incidents_incident_id_seq') FROM generate_series(1, $8))
"""  # noqa: S608 our own names
_TYPES = ("text", "bigint[]", "text[]", "boolean[]", "text[]", "int", "int", "int", "timestamptz")


@dataclass
class Outlook:
    """What is known of the conditions and groups of a batch.

    Args:
        token: Of the configuration's revision; None where nobody asked.
        has_open: Whether any of the conditions may have an open alert.
        has_ended: Whether any may have an alert that ended at a time the sender told.
        was_open: Whether any may have been opened of late, and have ended.
        has_groups: Whether an incident may be open for any of the groups.
    """

    token: str | None
    has_open: bool
    has_ended: bool
    was_open: bool
    has_groups: bool
    _keys: dict[type[Model], list[int]] = field(default_factory=dict)

    def reserve(self, model: type[Model], count: int) -> list[int]:
        """Return primary keys as `core.bulk.reserve_ids` does, those at hand first."""
        kept = self._keys.get(model, [])
        if len(kept) < count:
            return bulk.reserve_ids(model, count)
        self._keys[model] = kept[count:]
        return kept[:count]


UNKNOWN = Outlook(None, has_open=True, has_ended=True, was_open=True, has_groups=True)


def look_ahead(
    conditions: Mapping[Condition, bool],
    *,
    groups: Sequence[str],
    events: int,
    alerts: int,
    since: datetime,
) -> Outlook:
    """Return what is known of a batch, within its transaction; nothing on SQLite.

    Args:
        conditions: Integration and key of each alert that may be opened, and whether its sender
            tells when.
        groups: Digests of what they belong to.
        events: So many requests.
        alerts: So many alerts.
        since: What opened before was not of late.
    """
    if not bulk.on_postgresql():
        return UNKNOWN
    values = [
        REVISION,
        [integration for integration, _ in conditions],
        [key for _, key in conditions],
        list(conditions.values()),
        list(groups),
        events,
        alerts,
        len(groups),
        since,
    ]
    with connection.cursor() as cursor:
        prepared.execute(cursor, _SQL, _TYPES, values)
        token, has_open, has_ended, was_open, has_groups, *keys = cursor.fetchone()
    models: tuple[type[Model], ...] = (InboundEvent, Alert, Incident)
    known = dict(zip(models, keys, strict=True))
    return Outlook(token or "", has_open, has_ended, was_open, has_groups, known)
