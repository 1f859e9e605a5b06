"""Subscribing and unsubscribing, by those who have no account and no session."""

from collections.abc import Callable, Mapping
from functools import wraps

from allauth.core.ratelimit import consume
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from core.clock import now
from core.errors import InvalidInput, NotFound
from statuspage.addresses import live
from statuspage.forms import SubscribeForm
from statuspage.services import subscriptions
from statuspage.serving import asked_of_anybody

__all__ = ["confirm", "subscribe", "unsubscribe"]

View = Callable[[HttpRequest, str], HttpResponse]
_TOO_MANY = "Too many addresses were sent from where you are: try again in an hour."


@asked_of_anybody(
    "Whoever reads the status page may ask to be told; the owner of the address confirms it."
)
def subscribe(request: HttpRequest) -> HttpResponse:
    """Show the form; on POST have the owner of the address asked.

    The answer is the same whether the address is known, new, or was asked too often.
    """
    form = SubscribeForm(request.POST if request.method == "POST" else None)
    if request.method != "POST" or not form.is_valid():
        status = 422 if form.is_bound else 200
        return _shown("subscribe", {"form": form}, status=status)
    if not _is_allowed(request, "status_subscribe"):
        form.add_error(None, _TOO_MANY)
        return _shown("subscribe", {"form": form}, status=429)
    email = form.cleaned_data["email"].lower()
    try:
        with transaction.atomic():
            if form.is_first_time() and _may_be_asked(request, email):
                parts = list(form.cleaned_data["components"])
                subscriptions.ask(email=email, components=parts, now=now())
    except InvalidInput as error:
        form.refuse(error)
        return _shown("subscribe", {"form": form}, status=422)
    return _shown("subscribe", {"form": form, "is_asked": True})


def _told_in_its_frame(view: View) -> View:
    """Say of a link that is no longer valid so on a page that needs no cookie either."""

    @wraps(view)
    def answered(request: HttpRequest, token: str) -> HttpResponse:
        try:
            return view(request, token)
        except NotFound as error:
            said = {"heading": "There is nothing here", "text": error.message}
            return _shown("link", said, status=404)

    return answered


@asked_of_anybody("The signed link of a message confirms one address, and nothing else.")
@_told_in_its_frame
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Show what would be confirmed, and do it on POST: scanners of mail only ever look."""
    asked = subscriptions.request_of(token, now=now())
    parts = list(asked.components.all())
    if request.method == "POST":
        subscriptions.confirm(token, now=now())
        text = f"{asked.email} is told of new incidents, of every update, and of maintenance."
        return _shown("link", {"heading": "You are subscribed", "text": text})
    text = f"{asked.email} will be told of every incident and of maintenance{', of:' if parts else '.'}"
    return _shown(
        "link",
        {
            "heading": "Confirm your subscription",
            "text": text,
            "components": parts,
            "button": "Confirm",
        },
    )


@asked_of_anybody("The signed link of a message unsubscribes one address, and nothing else.")
@_told_in_its_frame
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Show whom it unsubscribes, and do it on POST, which mail programs send by themselves (RFC 8058)."""
    found = subscriptions.subscriber_of(token)
    if request.method == "POST":
        subscriptions.unsubscribe(token)
    if request.method == "POST" or found is None:
        text = "Nothing more is sent, and the address is forgotten."
        return _shown("link", {"heading": "You are unsubscribed", "text": text})
    text = f"{found.email} is told of nothing any more, and forgotten."
    said = {"heading": "Unsubscribe", "text": text, "button": "Unsubscribe"}
    return _shown("link", said)


def _may_be_asked(request: HttpRequest, email: str) -> bool:
    """Return whether it is neither too often in this hour nor too often altogether; both are counted."""
    return _is_allowed(request, "status_question", email) and subscriptions.may_be_asked(email)


def _is_allowed(request: HttpRequest, action: str, key: str | None = None) -> bool:
    """Return whether it is not too often; counts by the network that asks, or by `key`."""
    return bool(consume(request, action=action, key=key))


def _shown(name: str, context: Mapping[str, object], *, status: int = 200) -> HttpResponse:
    own = {"at": live(), "name": settings.STATUSPAGE_NAME}
    answer = HttpResponse(
        render_to_string(f"statuspage/{name}.html", {**own, **context}), status=status
    )
    # Addresses of links must not travel to where they lead.
    answer["Referrer-Policy"] = "no-referrer"
    return answer
