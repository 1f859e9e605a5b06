"""The page that imports objectives from OpenSLO and Sloth."""

from collections.abc import Sequence

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from accounts.access import requires, signed_in
from accounts.roles import Role
from core.clock import now
from core.yaml_files import SourceFile
from core.yaml_import import Verdict, import_in_two_steps
from slo.services.importing import import_files


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.MANAGER)
def import_page(request: HttpRequest) -> HttpResponse:
    """Preview an import; with `apply` do it."""

    def load(files: list[SourceFile], dry_run: bool) -> Sequence[Verdict]:
        return import_files(files, now=now(), actor=signed_in(request), dry_run=dry_run)

    return import_in_two_steps(
        request,
        "slo/import.html",
        reads="OpenSLO or Sloth, YAML",
        example="SLO, or a Sloth specification",
        load=load,
    )
