"""The portal's own format: the fields of the REST resources, with a `kind`.

kind: Team
slug: payments
name: Payments
contact: "#payments"
members: [alice]
---
kind: Service
slug: checkout
tier: 1
owner: payments
dependencies: [orders, {slug: cache, is_hard: false}]
"""

from typing import Any

from catalog.domain.entries import Entry, Fields, Reference, ServiceEntry, TeamEntry

__all__ = ["FORMAT", "KINDS", "read_plain"]

FORMAT = "sreportal"
KINDS = ("Team", "Service")
TEAM_TEXTS = ("name", "description", "contact")
SERVICE_TEXTS = (
    "name",
    "description",
    "lifecycle",
    "type",
    "system",
    "runbook_url",
    "repository_url",
    "aws_region",
    "ecs_cluster",
    "ecs_service",
    "rds_instance",
    "load_balancer",
)


def read_plain(fields: Fields) -> Entry:
    """Read a Team or Service document; a field that does not exist is an error."""
    entry = fields.entry
    entry.format = FORMAT
    fields.use(("apiVersion",))
    fields.use(("kind",))
    slug = fields.text("slug", required=True) or ""
    if entry.kind == "Team":
        _read_team(fields, slug)
    else:
        _read_service(fields, slug)
    for path in fields.lost():
        fields.wrong(path, "There is no such field.")
    return entry


def _texts(fields: Fields, names: tuple[str, ...]) -> dict[str, Any]:
    values = {name: fields.text(name) for name in names if fields.raw(name) is not None}
    return {name: value for name, value in values.items() if value is not None}


def _read_team(fields: Fields, slug: str) -> None:
    members = fields.texts("members")
    fields.entry.team = TeamEntry(
        slug=slug,
        values=_texts(fields, TEAM_TEXTS),
        members=None
        if members is None
        else [Reference(path, "user", name) for path, name in members],
    )


def _read_service(fields: Fields, slug: str) -> None:
    values = _texts(fields, SERVICE_TEXTS)
    if "type" in values:
        values["kind"] = values.pop("type")
    tier = fields.raw("tier")
    fields.use(("tier",))
    if tier is not None:
        if isinstance(tier, int) and not isinstance(tier, bool) and 0 <= tier <= 3:
            values["tier"] = tier
        else:
            fields.wrong(("tier",), "Use 0, 1, 2 or 3.")
    private = fields.raw("is_private")
    fields.use(("is_private",))
    if isinstance(private, bool):
        values["is_private"] = private
    elif private is not None:
        fields.wrong(("is_private",), "Use true or false.")
    owner = fields.text("owner")
    fields.entry.service = ServiceEntry(
        slug=slug,
        values=values,
        owner=Reference(("owner",), "team", owner) if owner else None,
        dependencies=_dependencies(fields),
    )


def _dependencies(fields: Fields) -> list[Reference] | None:
    items = fields.items("dependencies")
    if items is None:
        return None
    links: list[Reference] = []
    for index, item in enumerate(items):
        path = ("dependencies", index)
        if not isinstance(item, dict):
            slug = fields.text(*path, required=True)
            hard: Any = True
        else:
            slug = fields.text(*path, "slug", required=True)
            hard = item.get("is_hard", True)
            fields.use((*path, "is_hard"))
        if not isinstance(hard, bool):
            fields.wrong((*path, "is_hard"), "Use true or false.")
        elif slug:
            links.append(Reference(path, "service", slug, is_hard=hard))
    if not items:
        fields.use(("dependencies",))
    return links
