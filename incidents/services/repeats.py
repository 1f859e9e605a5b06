"""Messages that may have arrived and are sent again: each under its own key, whatever of it is left.

Whoever gets both knows by the key that they are one. So what two messages said is not repeated in one,
and a repeat that names fewer incidents, as some were answered meanwhile, keeps the key of all of them.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings

from incidents.domain.page_reasons import is_news
from incidents.models import Attempt, Page

__all__ = ["TOGETHER", "Repeats", "Send", "key_of"]

# Pages of one message waited for it together, through quiet hours at most.
TOGETHER = timedelta(days=2)


class Send(NamedTuple):
    """A claim by which pages were sent: to one recipient it made one message.

    Args:
        owner: Whose claim.
        at: When.
    """

    owner: str
    at: datetime


def key_of(keys: Sequence[str]) -> str:
    """Return the key of a message by those of its pages."""
    return keys[0] if len(keys) == 1 else hashlib.sha256("".join(sorted(keys)).encode()).hexdigest()


class Repeats:
    """What of pages repeats which message.

    Args:
        pages: As they were before they are claimed.
    """

    def __init__(self, pages: Sequence[Page]) -> None:
        self.pages = pages
        cut = [page.pk for page in pages if page.is_repeat or page.state == Page.State.SENDING]
        self._sends = _first_sends(cut) if cut else {}

    def of(self, page: Page) -> Send | None:
        """Return by which claim a page was first sent of those that may have arrived; None: by none."""
        return self._sends.get(page.pk)

    def key(self, bundle: Sequence[Page]) -> str:
        """Return the key of the message that pages repeat together; "" where it is their own.

        One key is of one message: where another page of what may have arrived waits for another
        repeat, each has its own, since whoever gets two of one key may throw one away.
        """
        send = self.of(bundle[0])
        # Without a pause each page is a message of its own.
        if send is None or not settings.PAGE_EVERY_S:
            return ""
        sent = _sent(bundle[0], send)
        is_whole = {each.pk for each in sent if each.state in Page.OPEN} <= {p.pk for p in bundle}
        return key_of([each.key for each in sent]) if is_whole else ""


def _first_sends(pages: Iterable[int]) -> dict[int, Send]:
    may_have_arrived = Attempt.objects.filter(
        page__in=pages, outcome__in=["", Attempt.Outcome.UNCERTAIN]
    )
    rows = may_have_arrived.order_by("-number").values_list("page", "owner", "started_at")
    return {page: Send(owner, at) for page, owner, at in rows}


def _sent(page: Page, send: Send) -> list[Page]:
    """Return the pages that one claim sent the way of a page."""
    pages = Page.objects.filter(
        person=page.person_id,
        created_at__range=(page.created_at - TOGETHER, page.created_at + TOGETHER),
        method=page.method_id,
        channel=page.channel,
        tries__owner=send.owner,
        tries__started_at=send.at,
    )
    sort = is_news(page.reason)
    return [each for each in pages.only("key", "reason", "state") if is_news(each.reason) is sort]
