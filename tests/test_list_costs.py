"""No page, list of the API or list of the admin asks the database once a row."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models import Model
from django.test import Client

from sreportal.api_urls import router
from tests.populated import PopulatedPortal, addresses

pytestmark = pytest.mark.long

MORE = 7
# Each of these is about somebody's own session or key, or what would go with a row, or no row: no lists.
NO_ROWS = ("/accounts/2fa/", "/accounts/password/", "/accounts/login/", "/health", "/api/schema/")
OF_ONE_ROW = ("/history/", "/delete/", "/password/")
# Of one service or objective: halves its history until it finds an instant, so a minute more of it
# may be a statement more. A statement a row would be seven.
SEARCHES = ("/freeze", "/ledger/")
LISTS = {f"/api/v1/{prefix}/" for prefix, _, _ in router.registry} | {
    f"/admin/{model._meta.app_label}/{model._meta.model_name}/" for model in admin.site._registry
}
PAGES = {"/", "/services/", "/services/users-api/", "/services/teams/team-0/", "/alerts/"}
PAGES |= {
    "/slo/",
    "/slo/users-api-availability/",
    "/slo/rules/",
    "/slo/sources/",
    "/sre/dashboard",
    "/sre/health",
}


def costs(reader: Client, pages: list[str]) -> dict[str, list[str]]:
    """Return the statements of each page that answers with what it shows."""
    found = {}
    for page in pages:
        statements: list[str] = []

        # Django's own way writes each statement out with its values, which takes a while.
        def note(execute: Any, sql: str, *rest: Any, kept: list[str] = statements) -> Any:
            kept.append(sql)
            return execute(sql, *rest)

        with connection.execute_wrapper(note):
            status = reader.get(page).status_code
        # The health of a service that burns its budget is a page with 503.
        assert status < 500 or page == "/sre/health", page
        if status in {200, 503}:
            found[page] = statements
    return found


def counts() -> dict[type[Model], int]:
    """Return how many rows of each kind the admin lists."""
    return {model: model._default_manager.count() for model in admin.site._registry}


def test_rows_add_no_statement_to_any_page(
    client: Client, populated_portal: PopulatedPortal
) -> None:
    """Of everything a few, then seven more: every page takes the statements it took before."""
    client.force_login(populated_portal.admin)
    pages = [p for p in addresses() if not p.startswith(NO_ROWS) and not p.endswith(OF_ONE_ROW)]
    # What a process reads once is not the page's.
    ContentType.objects.get_for_models(*admin.site._registry)
    costs(client, ["/", "/admin/"])
    rows, few = counts(), costs(client, pages)
    populated_portal.grow(MORE)
    assert [model for model, count in counts().items() if count <= rows[model]] == []
    many = costs(client, pages)
    dearer = [
        f"{page} took {len(few[page])} statements, then {len(many[page])}; the last: {many[page][-1]}"
        for page in few
        if len(many[page]) > len(few[page]) + (MORE - 1 if page.endswith(SEARCHES) else 0)
    ]
    assert "\n".join(dearer) == ""
    assert set(few) >= (LISTS | PAGES)
    assert len([page for page in few if "/change/" in page]) == len(admin.site._registry)
