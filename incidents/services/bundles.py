"""Claiming pages for sending: what waits for one person by one method goes out as one message.

In a storm a telephone that rings a thousand times is of no use to anybody: a method gets a message a
minute at most, naming every incident; a P0 waits ten seconds at most. The first page after a quiet
minute goes out at once. So it is with the email address of an account, where somebody has no method,
and with news, as that others have answered, which wait for each other and for no page.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Prefetch, Q, Window, prefetch_related_objects

from core import bulk
from incidents.domain.lifecycle import Status
from incidents.domain.page_reasons import is_news, offered_role
from incidents.models import Alert, Attempt, Page
from incidents.queries.quorum import people_who_answered
from incidents.queries.roles import may_know
from incidents.services.claims import is_any_due
from incidents.services.pages import ANY_OPEN, HAS_ANSWERED, WANTED, closed_because
from incidents.services.repeats import Repeats, key_of
from notifications.domain.kinds import Kind
from notifications.models import AccountThrottle, ContactMethod
from notifications.transports import transport_for

__all__ = ["MOST_ATTEMPTS", "Bundle", "claim_bundles", "is_wanted", "lease_of", "open_gates"]

State = Page.State
# Says when the next message may go out one way.
Gate = ContactMethod | AccountThrottle
# P0 is not held back for longer than this after the last message.
URGENT_AFTER = timedelta(seconds=10)
# What was tried so often in vain is not tried again.
MOST_ATTEMPTS = 5
# Pages read in one claim: a storm's backlog goes out as a few long messages.
MOST_PAGES = 2000
# Alerts that a message names of each incident.
NAMED_ALERTS = 20
# As the index of due pages has it.
_OPEN = "state IN ('waiting', 'sending')"
_SIDES = ("next_at", "news_next_at")
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_CHANGED = ["state", "attempts", "look_at", "owner", "is_repeat", "problem"]


@dataclass(frozen=True)
class Bundle:
    """Pages to one recipient that go out as one message; usually it is one page.

    Args:
        pages: Claimed, the worst incident's first.
        attempts: Numbers of the attempts, one a page.
        repeats: Key of the message that may have arrived, where this is the same once more.
    """

    pages: tuple[Page, ...]
    attempts: tuple[int, ...] = ()
    repeats: str = ""

    @property
    def first(self) -> Page:
        """The page of the worst incident."""
        return self.pages[0]

    @property
    def key(self) -> str:
        """Identity of the message: the page's own, or that of all pages together.

        A repeat has that of what it repeats, also where some of it need not be told any more.
        """
        return self.repeats or key_of([page.key for page in self.pages])


def lease_of(page: Page) -> timedelta:
    """Return how long whoever sends a page may take, three times what the transport is given."""
    return 3 * transport_for(Kind(page.channel)).deadline


def is_wanted(page: Page) -> bool:
    """Return whether somebody must still be told, as the incident stands.

    An offer of a role outlives that people are called anew, but not that whoever is asked may no
    longer know of the incident.
    """
    if page.incident.status not in WANTED.get(page.reason, ANY_OPEN):
        return False
    if offered_role(page.reason):
        return page.person is None or may_know(page.incident, page.person)
    return page.incident.cycle == page.cycle


def claim_bundles(*, owner: str, now: datetime, limit: int) -> tuple[list[Bundle], list[Page]]:
    """Claim up to `limit` messages for sending, P0 first; committed when this returns.

    Pages that nobody wants any more are cancelled instead. Those whose last send is uncertain are
    repeated, in a message of their own, or given up as their severity asks for; so are those whose
    way is closed: the method is off or gone, or the person is no longer active.

    Returns:
        The messages, and the pages that were given up.
    """
    if limit < 1 or not is_any_due(Page, _OPEN, ["severity", "look_at"], now=now):
        return [], []
    with transaction.atomic():
        # What goes out by itself is read as it is sent; a bundle takes all that waits.
        found = _due(now, MOST_PAGES if settings.PAGE_EVERY_S else limit)
        cut = [page for page in found if page.state == State.SENDING]
        answered = people_who_answered({page.incident_id for page in found if page.attempts})
        deaths = _deaths(cut)
        given_up = [page for page in found if _settle(page, answered, deaths)]
        repeats = Repeats([page for page in found if page.state in Page.OPEN])
        bundles, changed = _bundled(repeats, owner=owner, now=now, limit=limit)
        closed = [page for page in found if page.state not in Page.OPEN]
        bulk.update_rows(Page, [_columns(page) for page in (*closed, *changed)])
        claimed = [page for bundle in bundles for page in bundle]
        _read_alerts(claimed)
        _close_cut(cut, claimed, closed, now=now)
        begun = Attempt.objects.bulk_create(
            Attempt(page=page, number=page.attempts, owner=owner, started_at=now)
            for page in claimed
        )
        keys = [repeats.key(bundle) for bundle in bundles]
    numbers = {attempt.page_id: attempt.pk for attempt in begun}
    return [
        Bundle(tuple(pages), tuple(numbers[page.pk] for page in pages), key)
        for pages, key in zip(bundles, keys, strict=True)
    ], given_up


def _read_alerts(pages: Iterable[Page]) -> None:
    """Read what messages name of alerts, so that senders need no database."""
    told = (
        "incident", "dedup_key", "title", "severity", "state", "runbook_url", "service__is_private",
    )  # fmt: skip
    fires = Q(state=Alert.State.FIRING)
    named = (
        Alert.objects.select_related("service")
        .only(*told)
        .annotate(
            count_of_all=Window(Count("pk"), partition_by="incident"),
            count_firing=Window(Count("pk", filter=fires), partition_by="incident"),
        )
        # "firing" is before "resolved": what still fires is named first, the worst before the others.
        .order_by("state", "severity", "pk")
    )
    incidents = [page.incident for page in pages]
    prefetch_related_objects(incidents, Prefetch("alerts", named[:NAMED_ALERTS], "named_alerts"))


def _columns(page: Page) -> dict[str, Any]:
    return {"id": page.pk, **{name: getattr(page, name) for name in _CHANGED}}


def _due(now: datetime, most: int) -> list[Page]:
    due = Page.objects.filter(state__in=Page.OPEN, look_at__lte=now)
    rows = due.select_related("incident__service", "person", "method", "run").select_for_update(
        skip_locked=True, of=("self",)
    )
    return list(rows.order_by("severity", "look_at")[:most])


def _deaths(cut: Iterable[Page]) -> Mapping[int, int]:
    """Return how often nobody heard what became of pages that were cut, of those tried so often."""
    often = [page.pk for page in cut if page.attempts >= MOST_ATTEMPTS]
    if not often:
        return {}
    unknown = Attempt.objects.filter(page__in=often, outcome__in=["", Attempt.Outcome.UNCERTAIN])
    return dict(unknown.order_by().values_list("page").annotate(Count("pk")))


def _settle(
    page: Page, answered: Mapping[tuple[int, int], Collection[int]], deaths: Mapping[int, int]
) -> bool:
    """Cancel what nobody wants; returns whether a page is given up, which is said in its `problem`.

    Args:
        page: It.
        answered: Who gave an answer that was not enough, by incident and cycle: what was on its way
            to them meanwhile is not sent again.
        deaths: How often nobody heard what became of a page.
    """
    of_now = answered.get((page.incident_id, page.cycle), ())
    if not is_wanted(page):
        page.state, page.problem = State.CANCELLED, "Nobody needs to be called any more."
    elif (
        page.incident.status == Status.TRIGGERED
        and page.person_id in of_now
        and not is_news(page.reason)
    ):
        page.state, page.problem = State.CANCELLED, HAS_ANSWERED
    elif why := closed_because(page):
        # What a crash cut may have arrived all the same.
        is_cut = page.state == State.SENDING
        page.state, page.problem = State.UNCERTAIN if is_cut else State.FAILED, why
        return True
    elif page.state == State.SENDING and not page.at_least_once:
        page.state, page.problem = State.UNCERTAIN, "Its sender died; it is sent at most once."
        return True
    elif deaths.get(page.pk, 0) >= MOST_ATTEMPTS:
        # What ends whoever sends it would end all pagers, one after the other.
        page.state, page.problem = State.UNCERTAIN, f"Its sender died {deaths[page.pk]} times."
        return True
    return False


def _bundled(
    repeats: Repeats, *, owner: str, now: datetime, limit: int
) -> tuple[list[list[Page]], list[Page]]:
    """Return what may go out now, a list a message, and all pages that this changed."""
    groups: dict[tuple[object, ...], list[Page]] = {}
    for page in repeats.pages:
        groups.setdefault((*_recipient(page), repeats.of(page)), []).append(page)
    gates = _Gates(repeats.pages)
    bundles: list[list[Page]] = []
    changed: list[Page] = []
    for group in groups.values():
        # Locked by another pager, which sends that way now.
        if len(bundles) >= limit or not gates.is_held(group[0]):
            continue
        if (opens_at := gates.opens_at(group)) > now:
            for page in group:
                page.look_at = opens_at
        else:
            _claim(group, owner=owner, now=now)
            bundles.append(group)
            gates.shut(group[0], now=now)
        changed += group
    gates.keep()
    return bundles, changed


class _Gates:
    """When the next messages may go out, by the ways that pages go; locked until that is stored.

    News have a gate of their own beside that of pages: they hold up none, and none holds them up.
    """

    def __init__(self, pages: Iterable[Page]) -> None:
        self._methods: dict[int, ContactMethod] = {}
        self._accounts: dict[int, AccountThrottle] = {}
        self._used: dict[Gate, set[str]] = {}
        if not settings.PAGE_EVERY_S:
            return
        methods, accounts = set(), set()
        for page in pages:
            if page.method_id is not None:
                methods.add(page.method_id)
            elif page.person_id is not None:
                accounts.add(page.person_id)
        held = ContactMethod.objects.select_for_update(skip_locked=True, of=("self",))
        self._methods = held.in_bulk(sorted(methods))
        if accounts:
            self._accounts = _throttles(accounts)

    def is_held(self, page: Page) -> bool:
        """Return whether this process may say when the next message goes a page's way."""
        return not settings.PAGE_EVERY_S or self._gate(page) is not None

    def opens_at(self, pages: Sequence[Page]) -> datetime:
        """Return when the next message may go the way of pages."""
        gate = self._gate(pages[0])
        next_at: datetime | None = getattr(gate, _side(pages[0]), None)
        if next_at is None:
            return _LONG_AGO
        held = timedelta(seconds=settings.PAGE_EVERY_S)
        if any(page.severity == "P0" and not is_news(page.reason) for page in pages):
            return next_at - held + min(held, URGENT_AFTER)
        return next_at

    def shut(self, page: Page, *, now: datetime) -> None:
        """Have the next message wait that goes a page's way."""
        gate = self._gate(page)
        if gate is not None:
            setattr(gate, _side(page), now + timedelta(seconds=settings.PAGE_EVERY_S))
            self._used.setdefault(gate, set()).add(_side(page))

    def keep(self) -> None:
        """Store what was shut."""
        for side in _SIDES:
            used = sorted(
                (gate for gate, sides in self._used.items() if side in sides), key=_number
            )
            methods = [gate for gate in used if isinstance(gate, ContactMethod)]
            accounts = [gate for gate in used if isinstance(gate, AccountThrottle)]
            ContactMethod.objects.bulk_update(methods, [side])
            AccountThrottle.objects.bulk_update(accounts, [side])

    def _gate(self, page: Page) -> Gate | None:
        if page.method_id is not None:
            return self._methods.get(page.method_id)
        return self._accounts.get(page.person_id or 0)


def _number(gate: Gate) -> int:
    return gate.pk


def _side(page: Page) -> str:
    """Return where a gate has when the next one of a page's sort may go out."""
    return "news_next_at" if is_news(page.reason) else "next_at"


def _throttles(people: Collection[int]) -> dict[int, AccountThrottle]:
    """Return what holds back messages to the email addresses of accounts, locked."""
    rows = AccountThrottle.objects.select_for_update(skip_locked=True)
    found = rows.in_bulk(sorted(people))
    missing = sorted(set(people) - set(found))
    if missing:
        AccountThrottle.objects.bulk_create(
            [AccountThrottle(person_id=each) for each in missing], ignore_conflicts=True
        )
        found |= rows.in_bulk(missing)
    return found


def open_gates(bundles: Iterable[Bundle]) -> None:
    """Have messages that did not get out hold up nothing.

    Those of pages that go by a method are opened where it is noted that the method failed.
    """
    first = [bundle.first for bundle in bundles]
    news = [page.method_id for page in first if page.method_id and is_news(page.reason)]
    if news:
        ContactMethod.objects.filter(pk__in=news).update(news_next_at=None)
    for side in _SIDES:
        people = [p.person_id for p in first if p.method_id is None and _side(p) == side]
        if people:
            AccountThrottle.objects.filter(person__in=people).update(**{side: None})


def _recipient(page: Page) -> tuple[object, ...]:
    """Return what pages of one message have in common; without a gate each is one of its own."""
    alone = page.pk if not settings.PAGE_EVERY_S else 0
    cut = page.is_repeat or page.state == State.SENDING
    return page.method_id, page.person_id, page.channel, cut, is_news(page.reason), alone


def _claim(pages: Iterable[Page], *, owner: str, now: datetime) -> None:
    for page in pages:
        page.is_repeat = page.is_repeat or page.state == State.SENDING
        page.state, page.owner = State.SENDING, owner
        page.attempts += 1
        page.look_at = now + lease_of(page)


def _close_cut(cut: list[Page], claimed: list[Page], closed: list[Page], *, now: datetime) -> None:
    """End attempts whose sender never said what became of them."""
    taken = {page.pk for page in (*claimed, *closed)}
    gone = [page.pk for page in cut if page.pk in taken]
    if gone:
        Attempt.objects.filter(page__in=gone, outcome="").update(
            outcome=Attempt.Outcome.UNCERTAIN, ended_at=now
        )
