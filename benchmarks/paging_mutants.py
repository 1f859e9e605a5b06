"""Faults that a pager must not have: each put in on purpose must turn the judge of a drill red."""

import importlib
import secrets
import threading
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

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

    def doubled(pages: Any) -> Any:
        rows = list(pages)
        for row in rows:
            row.key = secrets.token_hex(32)
        return insert(rows)

    def unlocked(rows: Any, *, now: Any, limit: int) -> list[Any]:
        return list(rows.filter(look_at__lte=now).order_by("look_at", "pk")[:limit])

    def trusting(run: Any, *, now: Any) -> Any:
        runs.filter(pk=run.pk).update(
            due_at=run.due_at, look_at=run.look_at, position=run.position, state="running"
        )
        return fire(run, now=now)

    insert = _swap(f"{SERVICES}.escalation", "_insert", doubled)
    fire = _swap(f"{SERVICES}.escalation", "fire", trusting)
    _swap(f"{SERVICES}.due", "claim", unlocked)


def mark_before_send() -> None:
    """A page is recorded as sent before it is handed to the transport."""
    sending = importlib.import_module(f"{SERVICES}.sending")

    def early(bundle: Any, *, owner: str, clock: Any) -> Any:
        sending.record(bundle, sending.Outcome(), owner=owner, now=clock())
        return send(bundle, owner=owner, clock=clock)

    send = _swap(f"{SERVICES}.sending", "send", early)


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
    _swap(f"{SERVICES}.escalation", "_is_wanted", lambda _run, _incident: True)
    _swap(f"{SERVICES}.escalation", "stop", lambda _incident, **_kwargs: None)


def auditor_off() -> None:
    """Nobody looks for who should have been called."""
    _swap(f"{SERVICES}.pager", "audit_paging", lambda **_kwargs: [])


MUTANTS: dict[str, Callable[[], None]] = {
    change.__name__.replace("_", "-"): change
    for change in (
        no_on_conflict,
        mark_before_send,
        ack_before_commit,
        lease_too_short,
        no_recheck_on_ack,
        auditor_off,
    )
}
