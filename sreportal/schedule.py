"""The beat schedule: what runs when, each entry with its reason.

`manage.py bootstrap` writes these into the database; an interval edited in the admin stays.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tick:
    """One periodic task.

    Args:
        name: Shown in the admin.
        task: Registered task name.
        every_s: Interval; a tick not started within it is dropped, the next one catches up.
        reason: Why it exists, in one sentence.
    """

    name: str
    task: str
    every_s: int
    reason: str


SCHEDULE: tuple[Tick, ...] = (
    Tick(
        "Merge telemetry",
        "telemetry.compact",
        10,
        "Batches wait in a log; merged into minute counts, SLOs and pages see them.",
    ),
    Tick(
        "Forget old telemetry",
        "telemetry.purge",
        3600,
        "Minute counts older than TELEMETRY_RETENTION_DAYS would fill the disk.",
    ),
    Tick(
        "Evaluate objectives",
        "slo.evaluate",
        15,
        "Each minute is counted once it is closed; asking four times as often keeps figures young.",
    ),
    Tick(
        "Ask sources",
        "slo.pull",
        15,
        "Prometheus and CloudWatch are asked for the minutes that closed; nothing without sources.",
    ),
    Tick(
        "Make synthetic checks",
        "slo.probe",
        5,
        "Probes are due every ten seconds at the most often; nothing without probes.",
    ),
    Tick(
        "Go on with backfills",
        "slo.backfill",
        10,
        "The past of an SLI is fetched in chunks, so that it stops nothing else.",
    ),
    Tick(
        "Check the input of SLIs",
        "slo.check_inputs",
        300,
        "A silent or stuck source looks like a healthy service; five minutes later an alert says so.",
    ),
    Tick(
        "Notice open circuit breakers",
        "slo.check_breakers",
        15,
        "A breaker that opens says that a dependency is away; somebody should know within a minute.",
    ),
    Tick(
        "Miss signs of life",
        "incidents.check_heartbeats",
        15,
        "A heartbeat that is overdue says nothing by itself; an alert says it.",
    ),
    Tick(
        "Forget old requests",
        "incidents.forget_requests",
        3600,
        "Requests of senders older than INTAKE_RETENTION_DAYS would fill the disk.",
    ),
    Tick(
        "Read calendars of overrides",
        "oncall.read_calendars",
        60,
        "Overrides kept in a calendar elsewhere are followed every quarter of an hour.",
    ),
    Tick(
        "Open incident channels",
        "incidents.open_channels",
        15,
        "Each P0 and P1 incident gets a Slack channel; nothing without a bot, and paging never waits.",
    ),
    Tick(
        "Forget old slices",
        "slo.purge",
        3600,
        "Minutes are kept for 35 days, hours for 13 months, days for ever; rounds are thinned.",
    ),
    Tick(
        "Read capacity from AWS",
        "capacity.read",
        300,
        "How full services are, for those with AWS identifiers; nothing is asked for the others.",
    ),
    Tick(
        "Tell subscribers",
        "statuspage.tell",
        15,
        "A public update, or news of maintenance, is an email to whoever asked for it; nothing without subscribers.",
    ),
    Tick(
        "Forget unanswered subscriptions",
        "statuspage.forget",
        3600,
        "An address that nobody confirmed within three days is forgotten; notices are kept for 35 days.",
    ),
    Tick(
        "Copy the status page",
        "statuspage.export",
        60,
        "The copy stays up when the portal does not; nothing without STATUSPAGE_EXPORT.",
    ),
    Tick(
        "Worker's sign of life",
        "core.worker_heartbeat",
        15,
        "Shows that ticks reach a worker, so that pages can say since when they do not.",
    ),
)
