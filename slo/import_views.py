"""The page that imports SLOs: first a look at what would happen, then the import."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from accounts.access import requires, signed_in
from accounts.roles import Role
from catalog.forms import ImportForm
from core.clock import now
from core.htmx import render_page
from core.yaml_files import SourceFile
from slo.services.importing import import_files


class SloImportForm(ImportForm):
    """OpenSLO or Sloth documents, pasted or uploaded."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.fields["file"].help_text = "OpenSLO or Sloth, YAML, at most 1 MiB."


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.MANAGER)
def import_page(request: HttpRequest) -> HttpResponse:
    """Preview an import; with `apply` do it."""
    if request.method != "POST":
        return render_page(request, "slo/import.html", {"form": SloImportForm()})
    form = SloImportForm(request.POST, request.FILES)
    if not form.is_valid():
        return render_page(request, "slo/import.html", {"form": form}, status=422)
    is_applied = "apply" in request.POST
    text = form.cleaned_data["text"]
    found = import_files(
        [SourceFile(form.cleaned_data["name"], text)],
        now=now(),
        actor=signed_in(request),
        dry_run=not is_applied,
    )
    verdicts = [verdict.as_dict() for verdict in found]
    accepted = sum(verdict["accepted"] for verdict in verdicts)
    if is_applied:
        messages.success(request, f"{accepted} of {len(verdicts)} documents were carried.")
    shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    context = {
        "form": SloImportForm(initial={"yaml": shown}),
        "verdicts": verdicts,
        "accepted": accepted,
        "is_applied": is_applied,
    }
    return render_page(request, "slo/import.html", context)
