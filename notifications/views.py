"""How people and teams are reached: contact methods, tried and verified, and when each is used."""

from collections.abc import Callable, Sequence

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import public, requires, signed_in
from accounts.models import User
from accounts.roles import Role
from catalog.models import Team
from core import clock, encryption, mail
from core.errors import DomainError, Forbidden, NotFound
from core.htmx import render_page
from core.zones import zone_of
from notifications.domain.kinds import Kind
from notifications.forms import BrowserForm, CodeForm, MethodForm, QuietHoursForm, RuleForm
from notifications.models import ContactMethod, NotificationRule, QuietHours, teams_managed_by
from notifications.queries.readiness import readiness_of_people
from notifications.services import contacts, quiet_hours, rules, switching, trials

SHOWN_ONCE = "notifications.secret"


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.VIEWER)
def my_methods(request: HttpRequest) -> HttpResponse:
    """List how I am reached, and add another way."""
    form = MethodForm(request.POST or None)
    if request.method == "POST" and _is_added(request, form, person=signed_in(request)):
        return redirect("notifications:mine")
    return _page(request, form=form, status=422 if request.method == "POST" else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.RESPONDER)
def team_channels(request: HttpRequest, slug: str) -> HttpResponse:
    """List the channels of a team, and add another one."""
    user, team = signed_in(request), Team.objects.filter(slug=slug).first()
    if team is None:
        raise NotFound("There is no such team.")
    if not teams_managed_by(user).filter(pk=team.pk).exists():
        raise Forbidden("Channels are changed by members of the team, and by managers.")
    form = MethodForm(request.POST or None)
    if request.method == "POST" and _is_added(request, form, team=team):
        return redirect("notifications:channels", slug)
    methods = list(ContactMethod.objects.filter(team=team))
    context = {
        "team": team,
        "methods": methods,
        "form": form,
        "secret": _secret_of(request, methods),
        "mail_is_printed": mail.is_only_printed(),
    }
    status = 422 if request.method == "POST" else 200
    return render_page(request, "notifications/channels.html", context, status=status)


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
        trials.send_code(method, now=now)
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
    """Verify, try, switch or remove a method of mine or of my team; what cannot be done is said."""
    method, deed = _managed(request, pk), DEEDS.get(action)
    if deed is None:
        raise NotFound("There is no such action.")
    try:
        deed(request, method)
    except DomainError as error:
        messages.error(request, str(error))
    if method.team is not None:
        return redirect("notifications:channels", method.team.slug)
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
        form.refuse(error)
        return _page(request, rule_form=form, status=422)
    return redirect("notifications:mine")


@require_POST
@requires(Role.VIEWER)
def set_quiet_hours(request: HttpRequest) -> HttpResponse:
    """Say when I am not called for what can wait."""
    user, form = signed_in(request), QuietHoursForm(request.POST)
    if form.is_valid():
        try:
            quiet_hours.set_quiet_hours(user, **form.cleaned_data, actor=user, now=clock.now())
        except DomainError as error:
            form.refuse(error)
        else:
            messages.success(request, "Your quiet hours were saved.")
            return redirect("notifications:mine")
    return _page(request, quiet_form=form, status=422)


@require_POST
@requires(Role.VIEWER)
def remove_quiet_hours(request: HttpRequest) -> HttpResponse:
    """Be called at any hour."""
    user = signed_in(request)
    quiet_hours.remove_quiet_hours(user, actor=user, now=clock.now())
    return redirect("notifications:mine")


@require_POST
@requires(Role.VIEWER)
def remove_rule(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove one of my rules; a second tap finds it gone."""
    user = signed_in(request)
    rule = NotificationRule.objects.filter(person=user, pk=pk).first()
    if rule is not None:
        rules.remove_rule(rule, actor=user, now=clock.now())
    return redirect("notifications:mine")


def _verify(request: HttpRequest, method: ContactMethod) -> None:
    form = CodeForm(request.POST)
    code = form.cleaned_data["code"] if form.is_valid() else ""
    if trials.verify(method, code, actor=signed_in(request), now=clock.now()):
        messages.success(request, f"{method} is verified: you can be called by it.")
    else:
        messages.error(request, "That is not the code that was sent.")


def _send_code(request: HttpRequest, method: ContactMethod) -> None:
    trials.send_code(method, now=clock.now())
    messages.success(request, "Another code is on its way.")


def _test(request: HttpRequest, method: ContactMethod) -> None:
    trials.try_method(method, now=clock.now())
    messages.success(request, f"A test was handed over for {method}.")


def _switch(request: HttpRequest, method: ContactMethod) -> None:
    actor, enabled = signed_in(request), not method.is_enabled
    switching.set_enabled(method, enabled=enabled, actor=actor, now=clock.now())


def _remove(request: HttpRequest, method: ContactMethod) -> None:
    contacts.remove_method(method, actor=signed_in(request), now=clock.now())


def _renew_secret(request: HttpRequest, method: ContactMethod) -> None:
    secret = contacts.renew_secret(method, actor=signed_in(request), now=clock.now())
    _show_once(request, method, secret)


DEEDS: dict[str, Callable[[HttpRequest, ContactMethod], None]] = {
    "verify": _verify,
    "code": _send_code,
    "test": _test,
    "switch": _switch,
    "remove": _remove,
    "secret": _renew_secret,
}


def _managed(request: HttpRequest, pk: int) -> ContactMethod:
    managed = ContactMethod.objects.managed_by(signed_in(request))
    found = managed.select_related("team", "person").filter(pk=pk).first()
    if found is None:
        raise NotFound("There is no such contact method.")
    return found


def _is_added(
    request: HttpRequest, form: MethodForm, *, person: User | None = None, team: Team | None = None
) -> bool:
    """Add a method and have a code sent to it; where that fails, the list has it, to try again."""
    if not form.is_valid():
        return False
    said, now = form.cleaned_data, clock.now()
    try:
        method = contacts.add_method(
            person=person,
            team=team,
            kind=Kind(said["kind"]),
            label=said["label"],
            address=said["address"],
            actor=signed_in(request),
            now=now,
        )
    except DomainError as error:
        form.refuse(error)
        return False
    if method.kind == Kind.WEBHOOK:
        _show_once(request, method, method.secrets_at(now))
    try:
        trials.send_code(method, now=now)
    except DomainError as error:
        messages.error(request, f"{method} was added. {error}")
    else:
        messages.success(request, "A code is on its way. Enter it below.")
    return True


def _show_once(request: HttpRequest, method: ContactMethod, secret: str) -> None:
    """Have the next page show a secret: shown on the answer itself, a reload would make another."""
    request.session[SHOWN_ONCE] = [method.pk, encryption.encrypt(secret)]


def _secret_of(
    request: HttpRequest, methods: Sequence[ContactMethod]
) -> tuple[ContactMethod, str] | None:
    """Return the secret that one of the methods on a page got just now; never again after that."""
    pk, sealed = request.session.get(SHOWN_ONCE) or (None, "")
    found = next((method for method in methods if method.pk == pk), None)
    if found is None or request.method == "HEAD":
        return None
    del request.session[SHOWN_ONCE]
    return found, encryption.decrypt(sealed)


def _page(
    request: HttpRequest,
    *,
    form: MethodForm | None = None,
    rule_form: RuleForm | None = None,
    quiet_form: QuietHoursForm | None = None,
    status: int = 200,
) -> HttpResponse:
    user = signed_in(request)
    methods = list(ContactMethod.objects.filter(person=user))
    quiet = QuietHours.objects.filter(person=user).first()
    context = {
        "methods": methods,
        "readiness": readiness_of_people([user.pk], now=clock.now())[user.pk],
        "rules": NotificationRule.objects.filter(person=user).select_related("method"),
        "form": form or MethodForm(),
        "rule_form": rule_form or RuleForm(person=user),
        "quiet": quiet,
        "quiet_form": quiet_form or QuietHoursForm.of(quiet),
        "zone": zone_of(user),
        "teams": Team.objects.filter(members=user) if user.has_role(Role.RESPONDER) else (),
        "secret": _secret_of(request, methods),
        "push_key": contacts.push_key(),
        "mail_is_printed": mail.is_only_printed(),
    }
    return render_page(request, "notifications/mine.html", context, status=status)
