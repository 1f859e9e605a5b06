"""How I am reached: a person's own contact methods, tried and verified, and when each is used."""

from collections.abc import Callable

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import public, requires, signed_in
from accounts.roles import Role
from core import clock, mail
from core.errors import DomainError, NotFound
from core.htmx import render_page
from notifications.domain.kinds import Kind
from notifications.forms import BrowserForm, CodeForm, MethodForm, RuleForm
from notifications.models import ContactMethod, NotificationRule
from notifications.queries.readiness import readiness_of_people
from notifications.services import contacts, rules


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.VIEWER)
def my_methods(request: HttpRequest) -> HttpResponse:
    """List how I am reached, and add another way."""
    user = signed_in(request)
    form = MethodForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        said, now = form.cleaned_data, clock.now()
        try:
            method = contacts.add_method(
                person=user,
                kind=Kind(said["kind"]),
                label=said["label"],
                address=said["address"],
                actor=user,
                now=now,
            )
            contacts.send_code(method, now=now)
        except DomainError as error:
            form.add_error("address", str(error))
        else:
            messages.success(request, "A code is on its way. Enter it below.")
            return redirect("notifications:mine")
    return _page(request, form=form, status=422 if request.method == "POST" else 200)


@require_POST
@requires(Role.VIEWER)
def add_browser(request: HttpRequest) -> HttpResponse:
    """Add the browser that asks; a code is pushed to it."""
    user, form, now = signed_in(request), BrowserForm(request.POST), clock.now()
    if not form.is_valid():
        messages.error(request, "The browser's subscription is missing: use the button.")
        return redirect("notifications:mine")
    try:
        method = contacts.add_method(
            person=user,
            kind=Kind.WEB_PUSH,
            label=form.cleaned_data["label"],
            address=form.cleaned_data["subscription"],
            actor=user,
            now=now,
        )
        contacts.send_code(method, now=now)
    except DomainError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "A code was pushed to this browser. Enter it below.")
    return redirect("notifications:mine")


@public("A script for browsers, the same for everybody.")
@require_safe
def push_worker(_request: HttpRequest) -> HttpResponse:
    """Show pushes, from an address whose folder they may act for."""
    script = (settings.BASE_DIR / "static" / "js" / "push_worker.js").read_bytes()
    return HttpResponse(
        script, content_type="text/javascript", headers={"Cache-Control": "no-cache"}
    )


@require_POST
@requires(Role.VIEWER)
def act(request: HttpRequest, pk: int, action: str) -> HttpResponse:
    """Verify, try, switch or remove one of my methods; what cannot be done is said."""
    method, deed = _mine(request, pk), DEEDS.get(action)
    if deed is None:
        raise NotFound("There is no such action.")
    try:
        deed(request, method)
    except DomainError as error:
        messages.error(request, str(error))
    return redirect("notifications:mine")


@require_POST
@requires(Role.VIEWER)
def add_rule(request: HttpRequest) -> HttpResponse:
    """Add a rule."""
    user = signed_in(request)
    form = RuleForm(request.POST, person=user)
    if not form.is_valid():
        return _page(request, rule_form=form, status=422)
    said = form.cleaned_data
    try:
        rules.add_rule(
            user,
            urgency=said["urgency"],
            method=said["method"],
            delay=form.delay,
            actor=user,
            now=clock.now(),
        )
    except DomainError as error:
        messages.error(request, str(error))
    return redirect("notifications:mine")


@require_POST
@requires(Role.VIEWER)
def remove_rule(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove one of my rules."""
    user = signed_in(request)
    rule = NotificationRule.objects.filter(person=user, pk=pk).first()
    if rule is None:
        raise NotFound("There is no such rule.")
    rules.remove_rule(rule, actor=user, now=clock.now())
    return redirect("notifications:mine")


def _verify(request: HttpRequest, method: ContactMethod) -> None:
    form = CodeForm(request.POST)
    code = form.cleaned_data["code"] if form.is_valid() else ""
    if contacts.verify(method, code, actor=signed_in(request), now=clock.now()):
        messages.success(request, f"{method} is verified: you can be called by it.")
    else:
        messages.error(request, "That is not the code that was sent.")


def _send_code(request: HttpRequest, method: ContactMethod) -> None:
    contacts.send_code(method, now=clock.now())
    messages.success(request, "Another code is on its way.")


def _test(request: HttpRequest, method: ContactMethod) -> None:
    contacts.try_method(method, now=clock.now())
    messages.success(request, f"A test was handed over for {method}.")


def _switch(request: HttpRequest, method: ContactMethod) -> None:
    actor, enabled = signed_in(request), not method.is_enabled
    contacts.set_enabled(method, enabled=enabled, actor=actor, now=clock.now())


def _remove(request: HttpRequest, method: ContactMethod) -> None:
    contacts.remove_method(method, actor=signed_in(request), now=clock.now())


DEEDS: dict[str, Callable[[HttpRequest, ContactMethod], None]] = {
    "verify": _verify,
    "code": _send_code,
    "test": _test,
    "switch": _switch,
    "remove": _remove,
}


def _mine(request: HttpRequest, pk: int) -> ContactMethod:
    found = ContactMethod.objects.filter(person=signed_in(request), pk=pk).first()
    if found is None:
        raise NotFound("There is no such contact method.")
    return found


def _page(
    request: HttpRequest,
    *,
    form: MethodForm | None = None,
    rule_form: RuleForm | None = None,
    status: int = 200,
) -> HttpResponse:
    user = signed_in(request)
    methods = list(ContactMethod.objects.filter(person=user))
    context = {
        "methods": methods,
        "readiness": readiness_of_people([user.pk], now=clock.now())[user.pk],
        "rules": NotificationRule.objects.filter(person=user).select_related("method"),
        "form": form or MethodForm(),
        "rule_form": rule_form or RuleForm(person=user),
        "code_form": CodeForm(),
        "push_key": contacts.push_key(),
        "mail_is_printed": mail.is_only_printed(),
    }
    return render_page(request, "notifications/mine.html", context, status=status)
