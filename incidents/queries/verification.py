"""What was promised about paging, checked over the evidence views.

Each invariant is one SQL query that returns what breaks it, so that anybody can run it by hand. Where
the views have too few columns, the tables behind them are read beside.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from core.audit import verify_chain
from notifications.models import LONGEST_DELAY

__all__ = ["BLIND", "Invariant", "check_invariants"]

IN_FLIGHT = timedelta(seconds=10)
CALLED_WITHIN = timedelta(seconds=60)
# A storm's backlog is gone by then.
OUT_WITHIN = timedelta(minutes=10)
_MOST = 20
_MOMENTS = re.compile(r"\{(called_by|out_by|far_off)\}")

BLIND = (
    "Whether a provider delivered what it took: only receivers know.",
    "Whether the clocks of senders and receivers are right.",
    "Steps that called nobody because nobody was on call: they leave no page; the timeline has them.",
    "Whether an alert that never reached the portal was sent.",
    "Pages that were removed together with their attempts: the step looks like one that called nobody.",
    "Answers after the first one of an incident: what is sent after those is not compared.",
    "Whether what a receipt holds became the alert that it should.",
)


@dataclass(frozen=True)
class Invariant:
    """One promise and what breaks it.

    Args:
        id: Its name, stable.
        checked: Rows that were looked at.
        violations: Up to 20 of what breaks it, in words.
    """

    id: str
    checked: int
    violations: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing breaks it."""
        return not self.violations


_QUERIES: tuple[tuple[str, str, str, str], ...] = (
    (
        "page-keys-are-unique",
        "SELECT COUNT(*) FROM ev_page",
        "SELECT key FROM ev_page GROUP BY key HAVING COUNT(*) > 1",
        "two pages have the key {}",
    ),
    (
        "sent-pages-were-taken-by-a-provider",
        "SELECT COUNT(*) FROM ev_page WHERE state = 'sent'",
        (
            "SELECT p.key FROM ev_page p WHERE p.state = 'sent' AND NOT EXISTS"
            " (SELECT 1 FROM ev_attempt a WHERE a.key = p.key AND a.outcome = 'sent')"
        ),
        "page {} is sent without an attempt that was",
    ),
    (
        "no-page-is-sent-twice",
        "SELECT COUNT(*) FROM ev_attempt WHERE outcome = 'sent'",
        "SELECT key FROM ev_attempt WHERE outcome = 'sent' GROUP BY key HAVING COUNT(*) > 1",
        "page {} was sent again although a send was recorded",
    ),
    (
        "p2-and-p3-are-sent-once",
        "SELECT COUNT(*) FROM ev_attempt",
        (
            "SELECT DISTINCT a.key FROM ev_attempt a JOIN incidents_page w ON w.key = a.key"
            " JOIN ev_attempt b ON b.key = a.key AND b.n < a.n AND b.outcome IN ('', 'uncertain')"
            " WHERE NOT w.at_least_once"
        ),
        "page {} was sent again although it may have arrived, and goes out at most once",
    ),
    (
        "repeats-say-so",
        "SELECT COUNT(*) FROM ev_attempt",
        (
            "SELECT DISTINCT a.key FROM ev_attempt a JOIN incidents_page w ON w.key = a.key"
            " JOIN ev_attempt b ON b.key = a.key AND b.n < a.n AND b.outcome IN ('', 'uncertain')"
            " WHERE w.at_least_once AND NOT w.is_repeat"
        ),
        "page {} was sent again in doubt without saying so",
    ),
    (
        "attempts-are-counted",
        "SELECT COUNT(*) FROM ev_page",
        (
            "SELECT p.key FROM ev_page p LEFT JOIN"
            " (SELECT key, COUNT(*) AS n FROM ev_attempt GROUP BY key) a ON a.key = p.key"
            " WHERE p.attempts <> COALESCE(a.n, 0)"
        ),
        "page {} has another number of attempts than it says",
    ),
    (
        "pages-are-of-incidents",
        "SELECT COUNT(*) FROM ev_page",
        (
            "SELECT p.key FROM ev_page p LEFT JOIN ev_incident i ON i.id = p.incident_id"
            " WHERE i.id IS NULL"
        ),
        "page {} is of an incident that does not exist",
    ),
    (
        "what-decided-calls-is-kept",
        "SELECT COUNT(*) FROM incidents_calldecision",
        (
            "SELECT t.incident_id FROM incidents_timelineentry t"
            " LEFT JOIN incidents_calldecision d ON d.id = CAST({decision} AS BIGINT)"
            " WHERE t.act IN ('call', 'fallback') AND {decision} IS NOT NULL AND d.id IS NULL"
        ),
        "what decided a call for incident {} is gone",
    ),
    (
        "nobody-is-called-after-an-acknowledgement",
        "SELECT COUNT(*) FROM ev_attempt",
        (
            "SELECT DISTINCT p.incident_id FROM ev_page p"
            " JOIN ev_incident i ON i.id = p.incident_id JOIN ev_attempt a ON a.key = p.key"
            " JOIN incidents_page w ON w.key = p.key WHERE p.cycle = 1"
            " AND w.reason IN ('escalation', 'fallback') AND a.started_at > {in_flight}"
        ),
        "incident {} was paged after its acknowledgement",
    ),
    (
        "open-incidents-are-called",
        "SELECT COUNT(*) FROM ev_incident",
        (
            "SELECT i.id FROM ev_incident i WHERE i.acked_at IS NULL AND i.resolved_at IS NULL"
            " AND i.opened_at < {called_by} AND NOT EXISTS"
            " (SELECT 1 FROM ev_page p WHERE p.incident_id = i.id) AND NOT EXISTS"
            # A ladder may begin later, or in working hours.
            " (SELECT 1 FROM incidents_escalationrun r WHERE r.incident_id = i.id"
            " AND r.state = 'running' AND r.fired_at IS NULL AND r.due_at > {called_by})"
        ),
        "nobody was ever to be called for incident {}",
    ),
    (
        "due-pages-are-out",
        "SELECT COUNT(*) FROM ev_page",
        (
            "SELECT p.key FROM ev_page p JOIN ev_incident i ON i.id = p.incident_id"
            " JOIN incidents_page w ON w.key = p.key"
            " WHERE p.state IN ('waiting', 'sending') AND p.due_at < {out_by}"
            # After an outage a later rule is due in the past, and still waits for its time.
            " AND (w.look_at < {out_by} OR w.look_at > {far_off}) AND i.resolved_at IS NULL"
        ),
        "page {} has been due for more than ten minutes, and is not out",
    ),
    (
        "nobody-is-called-twice-for-a-step",
        "SELECT COUNT(*) FROM ev_page WHERE state = 'sent'",
        (
            "SELECT MIN(key) FROM incidents_page WHERE state = 'sent'"
            " GROUP BY incident_id, cycle, loop, step, target, method_id, channel, reason, due_at"
            " HAVING COUNT(*) > 1"
        ),
        "page {} has a twin: the same person was called twice for one step",
    ),
    (
        "times-are-in-order",
        "SELECT COUNT(*) FROM ev_incident",
        "SELECT id FROM ev_incident WHERE acked_at < opened_at OR resolved_at < opened_at",
        "incident {} ended before it began",
    ),
)


def check_invariants(*, now: datetime) -> list[Invariant]:
    """Return every invariant with what breaks it, the audit chain's among them."""
    found = [_checked(*query, now=now) for query in _QUERIES]
    chain = verify_chain()
    broken = () if chain.holds else (chain.reason,)
    return [*found, Invariant("audit-chain-holds", chain.entries, broken)]


def _checked(name: str, count: str, query: str, says: str, *, now: datetime) -> Invariant:
    later, decision = (
        ("i.acked_at + INTERVAL '10 seconds'", "t.facts ->> 'decision'")
        if connection.vendor == "postgresql"
        else ("datetime(i.acked_at, '+10 seconds')", "json_extract(t.facts, '$.decision')")
    )
    query = query.replace("{in_flight}", later).replace("{decision}", decision)
    moments = {
        "called_by": now - CALLED_WITHIN,
        "out_by": now - OUT_WITHIN,
        "far_off": now + LONGEST_DELAY,
    }
    parameters = [_instant(moments[each]) for each in _MOMENTS.findall(query)]
    with connection.cursor() as cursor:
        cursor.execute(count)
        (checked,) = cursor.fetchone()
        cursor.execute(_MOMENTS.sub("%s", query), parameters)
        rows = cursor.fetchmany(_MOST)
    return Invariant(name, checked, tuple(says.format(row[0]) for row in rows))


def _instant(at: datetime) -> str:
    # SQLite compares text: as Django writes it, without offset.
    return at.isoformat(sep=" ") if connection.vendor == "postgresql" else f"{at:%Y-%m-%d %H:%M:%S}"
