"""The page that imports services and teams from YAML."""

from collections.abc import Sequence

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from accounts.access import requires, signed_in
from accounts.roles import Role
from catalog.services.importing import import_sources
from core.clock import now
from core.yaml_files import SourceFile
from core.yaml_import import Verdict, import_in_two_steps

__all__ = ["import_page"]


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.MANAGER)
def import_page(request: HttpRequest) -> HttpResponse:
    """Preview an import; with `apply` do it."""

    def load(files: list[SourceFile], dry_run: bool) -> Sequence[Verdict]:
        return import_sources(files, now=now(), actor=signed_in(request), dry_run=dry_run)

    return import_in_two_steps(
        request,
        "catalog/import.html",
        reads="catalog-info.yaml",
        example="Component or Service",
        load=load,
    )
