"""Postmortems: begun from what is stored, written, looked through, published.

Each change holds the incident, like all that happens to one; publishing closes it. Of an incident that lives
on in another one nothing is changed.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from accounts.models import User
from core.audit import Who
from core.errors import Conflict, Forbidden, InvalidInput, NotFound
from core.reach import BEYOND, is_within_reach
from incidents.domain.lifecycle import Status as IncidentStatus
from incidents.domain.postmortems import (
    LONGEST_SECTION,
    NEEDED,
    SECTIONS,
    Action,
    Impossible,
    Status,
    next_status,
)
from incidents.models import Incident, Postmortem, PostmortemReview, TimelineEntry
from incidents.queries.merges import lives_on_in
from incidents.queries.postmortems import approvals, may_approve
from incidents.queries.prefill import prefilled
from incidents.services import timeline
from incidents.services.acts import Acts, name_of
from incidents.services.closing import close_locked
from incidents.services.transitions import changes

__all__ = ["approve", "ask_for_review", "begin", "edit", "publish", "reopen", "send_back"]

Kind = TimelineEntry.Kind
Verdict = PostmortemReview.Verdict
OVER = (IncidentStatus.RESOLVED, IncidentStatus.CLOSED)
_NAMES = frozenset(section.name for section in SECTIONS)
_LONGEST_COMMENT = 10_000
_OWN = (
    "Somebody else comments on it: you wrote it, or asked for the review. Publish it without a comment, or"
    " send it back and write it into the text."
)
UNSEEN = "Somebody changed it since you read it. Nothing was saved: read it anew, then change it."


@changes
def begin(incident: Incident, acts: Acts, *, now: datetime, actor: Who, person: User) -> None:
    """Begin the postmortem of an incident that is over; one that is there already stays as it is.

    Args:
        incident: Of what.
        acts: Of the transaction.
        now: The present.
        actor: Whom the audit names.
        person: Who is its author.

    Raises:
        Conflict: The incident is not over, or lives on in another one.
    """
    _refuse_unless_over(incident)
    if Postmortem.objects.filter(pk=incident.pk).exists():
        return
    found = Postmortem(incident=incident, author=person, edited_by=person, **prefilled(incident))
    found.save(force_insert=True)
    _told(found, acts, "begun", now=now, actor=actor)


@changes
def edit(
    incident: Incident,
    acts: Acts,
    *,
    fields: Mapping[str, Any],
    seen: int,
    now: datetime,
    actor: Who,
    person: User,
) -> None:
    """Change sections of a draft, or when it is due; what is as it was changes nothing.

    Args:
        incident: Of what.
        acts: Of the transaction.
        fields: Texts by section; `due_at` is another time than the policy's, None the policy's.
        seen: `version` of the texts that these replace.
        now: The present.
        actor: Whom the audit names.
        person: Who writes.

    Raises:
        Conflict: It is no draft, or somebody else changed it since.
        InvalidInput: Names the section that is too long.
    """
    found = _held(incident)
    _move(found, Action.EDIT)
    if found.version != seen:
        raise Conflict(UNSEEN)
    given = {name: _plain(value) for name, value in fields.items()}
    _check(given)
    changed = [name for name, value in given.items() if getattr(found, name) != value]
    if not changed:
        return
    for name in changed:
        setattr(found, name, given[name])
    found.version += 1
    found.edited_by = person
    found.save()
    due = {"due_at": found.due_at} if "due_at" in changed else {}
    acts.add("postmortem.edited", found, actor, sections=changed, version=found.version, **due)


@changes
def ask_for_review(
    incident: Incident, acts: Acts, *, now: datetime, actor: Who, person: User
) -> None:
    """Ask others to look through a draft; what was approved of an earlier one counts no more.

    Raises:
        Conflict: It is no draft.
        InvalidInput: Names the sections without which nobody learns anything from it.
    """
    found = _held(incident)
    _move(found, Action.ASK)
    missing = [name for name in NEEDED if not getattr(found, name).strip()]
    if missing:
        said = "Write it, or that it is not known: nobody learns from a gap."
        raise InvalidInput(
            f"Still empty: {', '.join(_heading(name) for name in missing)}.",
            fields={name: [said] for name in missing},
        )
    found.round += 1
    found.asked_by = person
    found.save()
    _told(found, acts, "review_asked", now=now, actor=actor)


@changes
def approve(
    incident: Incident,
    acts: Acts,
    *,
    now: datetime,
    actor: Who,
    person: User,
    comment: str = "",
    seen: int | None = None,
) -> None:
    """Say that it may be published as it stands; again adds what is said besides, if anything.

    Args:
        incident: Of what.
        acts: Of the transaction.
        now: The present.
        actor: Whom the audit names.
        person: Who approves.
        comment: What they say with it.
        seen: `version` of the texts that they read; None: they do not say.

    Raises:
        Conflict: It is not in review, or its text is another one than was read.
        InvalidInput: The comment is too long, together with what they said before.
        Forbidden: The person wrote it, or asked for the review: somebody else looks through it.
    """
    found = _held(incident)
    _move(found, Action.APPROVE)
    _refuse_unread(found, seen)
    if not may_approve(found, person):
        raise Forbidden("Somebody else approves it: you wrote it, or asked for the review.")
    _approve(found, acts, person, comment, now=now, actor=actor)


@changes
def send_back(
    incident: Incident, acts: Acts, *, now: datetime, actor: Who, person: User, comment: str
) -> None:
    """Make it a draft again, and say what is still to be written.

    Raises:
        Conflict: It is not in review.
        InvalidInput: Nothing is said.
    """
    found = _held(incident)
    _move(found, Action.SEND_BACK)
    if not comment.strip():
        raise InvalidInput("Say what is still to be written.", field="comment")
    _review(found, Verdict.SENT_BACK, person, comment, now=now, actor=actor)
    found.save()
    _told(found, acts, "sent_back", now=now, actor=actor, text=comment.strip())


@changes
def publish(
    incident: Incident,
    acts: Acts,
    *,
    now: datetime,
    actor: Who,
    person: User | None = None,
    comment: str = "",
    seen: int | None = None,
) -> None:
    """Publish what somebody approved: viewers read it, and its incident is closed.

    Args:
        incident: Of what.
        acts: Of the transaction.
        now: The present.
        actor: Whom the audit names.
        person: Who says `comment`.
        comment: With it they approve as well.
        seen: `version` of the texts that they read; None: they do not say.

    Raises:
        Conflict: It is not in review, nobody approved it, its text is another one than was read, or the
            incident is open again.
        InvalidInput: Whoever wrote it comments on it.
    """
    found = _held(incident)
    _move(found, Action.PUBLISH)
    _refuse_unless_over(incident)
    _refuse_unread(found, seen)
    if comment.strip():
        if person is None or not may_approve(found, person):
            raise InvalidInput(_OWN, field="comment")
        _approve(found, acts, person, comment, now=now, actor=actor)
    if not approvals(found).exists():
        raise Conflict("Nobody approved it yet: somebody who did not write it does.")
    found.published_at, found.published_by = now, name_of(actor)
    found.save()
    _told(found, acts, "published", now=now, actor=actor)
    if incident.status == IncidentStatus.RESOLVED:
        close_locked(incident, acts, now=now, actor=actor)


@changes
def reopen(incident: Incident, acts: Acts, *, now: datetime, actor: Who) -> None:
    """Make what is published a draft again; its incident stays as it is.

    Raises:
        Conflict: It is not published.
    """
    found = _held(incident)
    _move(found, Action.REOPEN)
    found.published_at, found.published_by = None, ""
    found.save()
    _told(found, acts, "reopened", now=now, actor=actor)


def _held(incident: Incident) -> Postmortem:
    """Return the postmortem of an incident that the caller holds: nobody else changes it.

    Raises:
        Conflict: The incident lives on in another one, and so does what is learnt from it.
        NotFound: There is none.
    """
    found = Postmortem.objects.filter(pk=incident.pk).first()
    if found is None:
        raise NotFound("It was not begun yet.")
    _refuse_merged(incident)
    found.incident = incident
    return found


def _move(found: Postmortem, action: Action) -> None:
    try:
        found.status = str(next_status(Status(found.status), action))
    except Impossible as error:
        raise Conflict(str(error)) from error


def _refuse_merged(incident: Incident) -> None:
    lives_on = lives_on_in(incident)
    if lives_on is not None:
        raise Conflict(f"It was merged: the postmortem is that of #{lives_on.pk}.")


def _refuse_unless_over(incident: Incident) -> None:
    _refuse_merged(incident)
    if incident.status not in OVER:
        raise Conflict("The incident is not over: resolve it first.")


def _check(given: Mapping[str, Any]) -> None:
    assert given.keys() <= {*_NAMES, "due_at"}
    longest = f"At most {LONGEST_SECTION:,} characters."
    wrong = {
        name: [longest]
        for name, value in given.items()
        if name in _NAMES and len(value) > LONGEST_SECTION
    }
    due_at = given.get("due_at")
    if due_at is not None and not is_within_reach(due_at):
        wrong["due_at"] = [BEYOND]
    if wrong:
        raise InvalidInput("Some sections are wrong.", fields=wrong)


def _plain(value: Any) -> Any:
    """Return text as it is kept: a browser sends other line ends than it was shown."""
    return value.replace("\r\n", "\n").strip() if isinstance(value, str) else value


def _heading(name: str) -> str:
    return next(section.heading for section in SECTIONS if section.name == name)


def _approve(
    found: Postmortem, acts: Acts, person: User, comment: str, *, now: datetime, actor: Who
) -> None:
    """Note that somebody approves it; what they say a second time is added to what they said."""
    said = approvals(found).filter(person=person).first()
    comment = comment.strip()
    if said is None:
        _review(found, Verdict.APPROVED, person, comment, now=now, actor=actor)
    elif comment and not f"\n\n{said.comment}".endswith(f"\n\n{comment}"):
        said.comment = f"{said.comment}\n\n{comment}".strip()
        _refuse_long(said.comment)
        said.save(update_fields=["comment"])
    else:
        return
    _told(found, acts, "approved", now=now, actor=actor, text=comment)


def _refuse_unread(found: Postmortem, seen: int | None) -> None:
    if seen is not None and seen != found.version:
        raise Conflict("Its text was changed since you read it. Read it as it is now first.")


def _refuse_long(comment: str) -> None:
    if len(comment) > _LONGEST_COMMENT:
        raise InvalidInput("A comment has 10,000 characters at most.", field="comment")


def _review(
    found: Postmortem, verdict: Verdict, person: User, comment: str, *, now: datetime, actor: Who
) -> None:
    _refuse_long(comment)
    PostmortemReview.objects.create(
        postmortem=found,
        round=found.round,
        person=person,
        actor=name_of(actor),
        verdict=verdict,
        comment=comment.strip(),
        at=now,
    )


def _told(
    found: Postmortem, acts: Acts, what: str, *, now: datetime, actor: Who, text: str = ""
) -> None:
    timeline.write(
        found.incident, Kind.ACTION, f"postmortem_{what}", now=now, actor=actor, text=text
    )
    acts.add(f"postmortem.{what}", found, actor, version=found.version)
