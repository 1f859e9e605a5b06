"""The page that imports YAML: first a look at what would happen, then the import."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from accounts.access import requires
from accounts.roles import Role
from catalog.forms import ImportForm
from catalog.services.importing import import_sources
from catalog.views import signed_in
from core import clock
from core.htmx import render_page
from core.yaml_files import SourceFile

__all__ = ["import_page"]


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.MANAGER)
def import_page(request: HttpRequest) -> HttpResponse:
    """Preview an import; with `apply` do it."""
    if request.method != "POST":
        return render_page(request, "catalog/import.html", {"form": ImportForm()})
    form = ImportForm(request.POST, request.FILES)
    if not form.is_valid():
        return render_page(request, "catalog/import.html", {"form": form}, status=422)
    is_applied = "apply" in request.POST
    text = form.cleaned_data["text"]
    verdicts = import_sources(
        [SourceFile(form.cleaned_data["name"], text)],
        now=clock.now(),
        actor=signed_in(request),
        dry_run=not is_applied,
    )
    accepted = sum(verdict.accepted for verdict in verdicts)
    if is_applied:
        messages.success(request, f"{accepted} of {len(verdicts)} documents were carried.")
    shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    context = {
        "form": ImportForm(initial={"yaml": shown}),
        "verdicts": verdicts,
        "accepted": accepted,
        "is_applied": is_applied,
    }
    return render_page(request, "catalog/import.html", context)
