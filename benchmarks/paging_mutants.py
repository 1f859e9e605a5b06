"""Faults that a pager must not have: each put in on purpose must turn the judge of a drill red."""

import importlib
import secrets
import threading
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from django.db.models import F

__all__ = ["MUTANTS", "apply"]

SERVICES = "incidents.services"


def apply(name: str) -> None:
    """Put a mutant into this process; "" is none."""
    if name:
        MUTANTS[name]()


def _swap(module: str, name: str, by: Callable[..., Any]) -> Callable[..., Any]:
    """Replace a function of a module wherever it was imported from; returns what it was."""
    home = importlib.import_module(module)
    genuine: Callable[..., Any] = getattr(home, name)
    setattr(home, name, by)
    return genuine


def no_on_conflict() -> None:
    """Keys do not hold pages apart, and claims are trusted: no lock, no second look."""
    runs = importlib.import_module("incidents.models").EscalationRun.objects

    def due(now: Any) -> Any:
        return runs.filter(state="running", look_at__lte=now).order_by("look_at", "pk")

    def claimed(self: Any, *, now: Any, limit: int, **kwargs: Any) -> list[Any]:
        if self._model is not runs.model:
            return list(claim(self, now=now, limit=limit, **kwargs))
        names = ["claimed" if name == "claims" else name for name in self._columns]
        return list(due(now).annotate(claimed=F("claims") + 1).values_list(*names)[:limit])

    def taken(_self: Any, *, now: Any, limit: int, alike: Any, **_kwargs: Any) -> Any:
        names = [each.replace("own.", "").replace("other.", "incident__") for each in alike]
        return claims._grouped(due(now).values_list(*names, "pk", "incident_id")[:limit])

    def trusting(model: Any, kinds: Any, numbers: Any, ids: Any, **_kwargs: Any) -> Any:
        changes = [{k: v for k, v in kind.items() if not k.startswith("was_")} for kind in kinds]
        return update(model, changes, numbers, ids)

    _swap(f"{SERVICES}.pages", "key_of", lambda _incident, _tail: secrets.token_hex(32))
    update = _swap(f"{SERVICES}.firing", "update_alike", trusting)
    claims = importlib.import_module(f"{SERVICES}.claims")
    claim, claims.Queue.claim, claims.Queue.take = claims.Queue.claim, claimed, taken


def mark_before_send() -> None:
    """Pages are recorded as sent when they are claimed, before they are handed to a transport."""
    sending = importlib.import_module(f"{SERVICES}.sending")

    def early(*, owner: str, now: Any, limit: int, hand_over: Any = None) -> Any:
        bundles = claim(owner=owner, now=now, limit=limit)
        sending.record([sending.Done(b, sending.Outcome(), now) for b in bundles], owner=owner)
        for bundle in bundles if hand_over else ():
            hand_over(bundle)
        return bundles

    claim = _swap(f"{SERVICES}.sending", "claim", early)


def ack_before_commit() -> None:
    """Senders are thanked before what they sent is stored: it follows a moment later."""

    def store(*args: Any, **kwargs: Any) -> None:
        take(*args, **kwargs)
        connections.close_all()

    def later(*args: Any, **kwargs: Any) -> Any:
        threading.Timer(0.3, store, args, kwargs).start()
        return taken(SimpleNamespace(uid="later"), None, 1, ())

    taken = importlib.import_module(f"{SERVICES}.receiving").Taken
    connections = importlib.import_module("django.db").connections
    take = _swap("incidents.webhooks.senders", "take", later)


def lease_too_short() -> None:
    """A claim on a page runs out while it is being sent."""
    _swap(f"{SERVICES}.bundles", "lease_of", lambda _page: timedelta(0))


def no_recheck_on_ack() -> None:
    """Whoever answered is not asked about again: neither when a step fires nor when it is sent."""
    _swap(f"{SERVICES}.bundles", "is_wanted", lambda _page: True)
    _swap(f"{SERVICES}.firing", "_is_wanted", lambda _phase, _incident: True)
    _swap(f"{SERVICES}.escalation", "stop", lambda _incident, **_kwargs: None)


def auditor_off() -> None:
    """Nobody looks for who should have been called."""
    _swap(f"{SERVICES}.pager", "audit_paging", lambda **_kwargs: [])


def one_answer_will_do() -> None:
    """Whoever answers first ends it, however many a level asks for; of no effect where one does."""
    _swap(f"{SERVICES}.quorum", "needed_for", lambda _incident: 1)


MUTANTS: dict[str, Callable[[], None]] = {
    change.__name__.replace("_", "-"): change
    for change in (
        no_on_conflict,
        mark_before_send,
        ack_before_commit,
        lease_too_short,
        no_recheck_on_ack,
        auditor_off,
        one_answer_will_do,
    )
}
