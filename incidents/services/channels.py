"""A Slack channel for each serious incident: opened beside the paging, which never waits for it.

The row says that somebody is at it; the channel is made outside of any transaction, and what could
not be made is tried again.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from core.audit import Who
from core.errors import Conflict, Unavailable
from incidents.models import Incident, IncidentChannel, Page, TimelineEntry
from incidents.queries.incidents import next_call
from incidents.services import timeline
from incidents.services.pages import of_news
from incidents.services.pressing import about
from notifications.domain.kinds import Kind
from notifications.models import ContactMethod
from notifications.transports import TransportFailed
from notifications.transports.slack import SlackRefused, call, plain
from notifications.transports.slack_buttons import act_buttons, open_button

__all__ = ["invite_due", "open_channel", "open_due"]

log = structlog.get_logger(__name__)
SERIOUS = ("P0", "P1")
YOUNG = timedelta(hours=1)
AGAIN_AFTER = timedelta(minutes=1)
JUST_BEFORE = timedelta(seconds=5)
MOST_TRIES, MOST_NAMES, MOST_AT_A_TIME = 5, 9, 10


def open_due(*, now: datetime) -> int:
    """Open channels of serious incidents that have none; returns how many were opened."""
    if not (settings.SLACK_BOT_TOKEN and settings.SLACK_CHANNELS):
        return 0
    wanting = Q(channel=None) | Q(
        channel__channel_id="",
        channel__tries__lt=MOST_TRIES,
        channel__tried_at__lte=now - AGAIN_AFTER,
    )
    rows = Incident.objects.open().filter(wanting, severity__in=SERIOUS, opened_at__gt=now - YOUNG)
    opened = 0
    for incident in rows.order_by("severity", "opened_at")[:MOST_AT_A_TIME]:
        try:
            open_channel(incident, actor=None, now=now)
        except (Conflict, Unavailable) as error:
            log.warning("channel_not_opened", incident=incident.pk, reason=str(error))
        else:
            opened += 1
    return opened


def open_channel(incident: Incident, *, actor: Who, now: datetime) -> IncidentChannel:
    """Open the channel of an incident, pin what is known, and invite who was called.

    Raises:
        Conflict: It has one, somebody is opening it just now, or the portal has no bot in Slack.
        Unavailable: Slack does not answer, or refuses.
    """
    if not settings.SLACK_BOT_TOKEN:
        raise Conflict("The portal has no bot in Slack: an administrator sets SLACK_BOT_TOKEN.")
    channel = _claimed(incident, now=now)
    try:
        name, channel_id = _created(channel.name, is_private=_is_private(incident))
    except TransportFailed as error:
        channel.problem = str(error)[:500]
        channel.save(update_fields=["problem"])
        raise Unavailable(f"No channel was opened: {error}") from error
    with transaction.atomic():
        channel.name, channel.channel_id, channel.problem = name, channel_id, ""
        channel.save(update_fields=["name", "channel_id", "problem"])
        text = f"#{name}"
        timeline.write(
            incident, TimelineEntry.Kind.ACTION, "channel", now=now, actor=actor, text=text
        )
    _furnish(channel, now=now)
    return channel


@transaction.atomic
def _claimed(incident: Incident, *, now: datetime) -> IncidentChannel:
    name = f"incident-{incident.opened_at:%Y%m%d-%H%M%S}"
    IncidentChannel.objects.bulk_create(
        [IncidentChannel(incident=incident, name=name, tried_at=now - AGAIN_AFTER)],
        ignore_conflicts=True,
    )
    free = IncidentChannel.objects.filter(
        incident=incident, channel_id="", tried_at__lte=now - AGAIN_AFTER
    )
    if not free.update(tried_at=now, tries=F("tries") + 1):
        raise Conflict("It has a channel already, or one is being opened.")
    return IncidentChannel.objects.get(incident=incident)


def _is_private(incident: Incident) -> bool:
    """Return whether only those may read along who are invited: everybody of Slack reads other channels."""
    return incident.service is not None and incident.service.is_private


def _created(wanted: str, *, is_private: bool) -> tuple[str, str]:
    """Create a channel of that name, or of the next one that is free."""
    for number in range(1, MOST_NAMES + 1):
        name = wanted if number == 1 else f"{wanted}-{number}"
        try:
            made = call("conversations.create", {"name": name, "is_private": is_private})
        except SlackRefused as error:
            if error.error != "name_taken":
                raise
            continue
        return name, str(made["channel"]["id"])
    raise TransportFailed("Every name for it is taken.")


def _furnish(channel: IncidentChannel, *, now: datetime) -> None:
    """Pin a summary and invite people; a channel without them is still a channel."""
    incident = channel.incident
    service = f" · {incident.service}" if incident.service else ""
    link = f"{settings.PORTAL_URL}{incident.get_absolute_url()}"
    summary = (
        f"*{incident.severity} #{incident.pk}* {plain(f'{incident.title}{service}', 2000)}\n{link}"
    )
    buttons = [*act_buttons(about(incident, next_call(incident))), open_button(link)]
    said = {
        "channel": channel.channel_id,
        "text": summary,
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": summary}},
            {"type": "actions", "elements": buttons},
        ],
    }
    try:
        posted = call("chat.postMessage", said)
        call("pins.add", {"channel": channel.channel_id, "timestamp": posted.get("ts", "")})
    except TransportFailed as error:
        log.warning("summary_not_pinned", incident=incident.pk, reason=str(error))
    _invite(channel, incident.opened_at, now=now)


def invite_due(*, now: datetime) -> int:
    """Invite who was called since a channel last invited people; returns how many channels did."""
    if not settings.SLACK_BOT_TOKEN:
        return 0
    called = _called(OuterRef("incident"), OuterRef("tried_at"))
    rows = IncidentChannel.objects.filter(~Q(channel_id=""), Exists(called))
    rows = rows.filter(incident__in=Incident.objects.open()).order_by("incident__severity", "pk")
    return sum(_invite(channel, channel.tried_at, now=now) for channel in rows[:MOST_AT_A_TIME])


def _called(incident: int | OuterRef, since: datetime | OuterRef) -> QuerySet[Page]:
    """Return pages to people since then; news call nobody."""
    pages = Page.objects.filter(incident=incident, created_at__gte=since)
    return pages.exclude(person=None).exclude(of_news())


def _invite(channel: IncidentChannel, since: datetime, *, now: datetime) -> bool:
    """Invite who was called since then; what passes, as Slack being away, is tried again."""
    seen = IncidentChannel.objects.filter(pk=channel.pk, tried_at=channel.tried_at)
    # A page that is stored just now may have been made a little earlier.
    if not seen.update(tried_at=now - JUST_BEFORE):
        return False
    people = _called(channel.pk, since).values("person")
    methods = ContactMethod.objects.usable().filter(kind=Kind.SLACK, person__in=people)
    known = {method.known_address for method in methods}
    members = sorted(address for address in known if address.startswith(("U", "W")))
    try:
        _invite_members(channel, members)
    except TransportFailed as error:
        log.warning("not_invited", incident=channel.pk, reason=str(error))
        IncidentChannel.objects.filter(pk=channel.pk).update(tried_at=since)
        return False
    return bool(members)


def _invite_members(channel: IncidentChannel, members: Sequence[str]) -> None:
    """Invite one by one: one whom Slack does not take would keep out the others.

    Raises:
        TransportFailed: Slack is away, or has enough for now.
    """
    for member in members:
        try:
            call("conversations.invite", {"channel": channel.channel_id, "users": member})
        except SlackRefused as error:
            if not error.is_final:
                raise
            if error.error != "already_in_channel":
                log.warning("not_invited", incident=channel.pk, reason=str(error))
