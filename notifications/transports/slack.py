"""Slack: messages with buttons, sent by a bot to members and channels (https://docs.slack.dev).

A button carries incident, cycle and when it was opened; whoever presses it is known by their own
verified Slack method, so a message in a channel can be answered by everybody and only by those who may.
"""

import json
import re
import textwrap
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings

from core import http_client
from core.http_client import Deadline, OutboundError, Response
from notifications.domain.digests import told
from notifications.domain.kinds import Kind
from notifications.domain.messages import Message, utf16_length
from notifications.transports.base import Recipient, Transport, TransportFailed, retry_after
from notifications.transports.slack_buttons import Act, act_button, act_buttons, open_button

__all__ = ["FEATURE", "Slack", "SlackRefused", "call", "plain", "posts_of"]

FEATURE = "slack"
# These pass; every other error stays until somebody mends what is wrong.
_PASSING = {"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable",
            "request_timeout", "team_added_to_org"}  # fmt: skip
# Slack's word for these is that some of it may have been done.
_UNCERTAIN = {"fatal_error", "internal_error", "request_timeout"}
_SECONDS = 10.0
_WORD = re.compile(r"\A[a-z_]{1,60}\Z")
# Elements of one row are 25 at most; one is the link.
MOST_BUTTONS = 24
# Characters of one section's text, and of all that a digest says: Slack refuses a message as too long
# from about 12,000 on, of which the buttons take a part.
_SECTION, _DIGEST = 3000, 6000
_HALF_ENTITY = re.compile(r"&[a-z]*\Z")


class SlackRefused(TransportFailed):
    """Slack answered, and refused.

    Args:
        error: Slack's word for it, e.g. channel_not_found; anything else is not repeated.
        retry_after: How long it asks to be left alone.
    """

    def __init__(self, error: str, *, retry_after: timedelta = timedelta()) -> None:
        self.error = error if _WORD.match(error) else "unknown"
        super().__init__(
            f"Slack refuses: {self.error}.",
            is_final=error not in _PASSING,
            is_uncertain=error in _UNCERTAIN,
            retry_after=retry_after,
        )


class Slack(Transport):
    """A message to a member or a channel; a digest that is too long for one is several."""

    kind = Kind.SLACK

    @property
    def is_configured(self) -> bool:
        """Whether there is a bot."""
        return bool(settings.SLACK_BOT_TOKEN)

    def send(self, message: Message, to: Recipient) -> str:
        """Send it; the id is the channel and Slack's time stamp, of several messages the first one's."""
        deadline = Deadline(self.deadline.total_seconds())
        ids: list[str] = []
        for blocks in posts_of(message):
            said: dict[str, Any] = {
                "channel": to.address,
                "text": plain(message.heading, 1000),
                "blocks": blocks,
                "unfurl_links": False,
                "metadata": {"event_type": "page", "event_payload": {"key": message.key}},
            }
            try:
                answer = call("chat.postMessage", said, deadline=deadline)
            except TransportFailed as error:
                # The first ones are there.
                error.is_uncertain = error.is_uncertain or bool(ids)
                raise
            ids.append(f"{answer.get('channel', '')}:{answer.get('ts', '')}")
        return ids[0]


def call(
    method: str, arguments: Mapping[str, Any], *, deadline: Deadline | None = None
) -> dict[str, Any]:
    """Call one method of Slack's Web API, within ten seconds where no other limit is set.

    Raises:
        TransportFailed: There is no bot, or no answer.
        SlackRefused: Slack says no.
    """
    if not settings.SLACK_BOT_TOKEN:
        raise TransportFailed("No Slack bot is configured.", is_final=True)
    try:
        answer = http_client.request(
            f"{settings.SLACK_API_URL}/{method}",
            feature=FEATURE,
            deadline=deadline or Deadline(_SECONDS),
            method="POST",
            headers={
                "Authorization": f"Bearer {settings.SLACK_BOT_TOKEN}",
                "Content-Type": "application/json; charset=utf-8",
            },
            content=json.dumps(arguments).encode(),
        )
    except OutboundError as error:
        raise TransportFailed.of(error) from error
    if answer.status == 429:
        raise SlackRefused("ratelimited", retry_after=retry_after(answer.headers))
    try:
        said = json.loads(answer.body)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise _unread(answer)
    if not said.get("ok"):
        raise SlackRefused(
            str(said.get("error") or "unknown"), retry_after=retry_after(answer.headers)
        )
    return said


def _unread(answer: Response) -> TransportFailed:
    """Return what an answer that is none of Slack's means; one that says yes may be of a proxy."""
    said = f"Slack answered {answer.status}."
    if 200 <= answer.status < 300:
        return TransportFailed(said, is_uncertain=True)
    return TransportFailed.refused(said, answer)


def posts_of(message: Message) -> list[list[dict[str, Any]]]:
    """Return a message as Slack's blocks: what it says, and a button for each of its incidents.

    Of several messages each is a list of its own; the buttons are below the last.
    """
    posts: list[list[dict[str, Any]]] = [
        [{"type": "section", "text": {"type": "mrkdwn", "text": text}} for text in texts]
        for texts in _texts(message)
    ]
    if buttons := _buttons(message):
        posts[-1].append({"type": "actions", "elements": buttons})
    return posts


def _buttons(message: Message) -> list[dict[str, Any]]:
    # One row for each incident, however many pages it has: Slack refuses equal action ids.
    asked = {
        page["incident"]: page for page in message.facts.get("pages", ()) if not page.get("is_news")
    }
    if len(asked) == 1:
        buttons = act_buttons(*asked.values())
    else:
        buttons = [
            act_button(Act.ACKNOWLEDGE, page, f"Acknowledge #{page['incident']}")
            for page in [*asked.values()][:MOST_BUTTONS]
        ]
    if message.url:
        buttons.append(open_button(message.url))
    return buttons


def _texts(message: Message) -> list[list[str]]:
    """Return what a message says: the sections of one message, of a long digest those of several."""
    heading = f"*{plain(message.heading, 500)}*"
    if not message.entries:
        return [["\n".join(filter(None, [heading, plain(message.text, 2000)]))]]

    def fits(text: str) -> bool:
        return utf16_length(plain(text, 2 * _DIGEST)) < _DIGEST

    # Its buttons answer; links would leave no room for names.
    body = told(message.entries, fits, with_answers=False)
    if fits(body):
        return [_sections(heading, body)]
    parts = textwrap.wrap(body, _DIGEST - 1)
    return [
        _sections(f"{heading} ({number}/{len(parts)})", part)
        for number, part in enumerate(parts, 1)
    ]


def _sections(heading: str, body: str) -> list[str]:
    """Return what stands below a heading, in texts that Slack takes."""
    found = [heading]
    for line in body.split("\n"):
        # An escaped letter is at most five, and one beyond the basic plane two.
        for part in textwrap.wrap(line, _SECTION // 6, break_on_hyphens=False):
            piece = plain(part, _SECTION)
            if utf16_length(found[-1]) + utf16_length(piece) < _SECTION:
                found[-1] += f"\n{piece}"
            else:
                found.append(piece)
    return found


def plain(text: str, most: int) -> str:
    """Return a text in which Slack finds no mention of everybody and no link of its own.

    Args:
        text: Of a sender.
        most: As Slack counts, an emoji being two; what is beyond is cut off.
    """
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    cut = escaped.encode("utf-16-le")[: 2 * most].decode("utf-16-le", "ignore")
    return cut if cut == escaped else _HALF_ENTITY.sub("", cut)
