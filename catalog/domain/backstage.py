"""Backstage's descriptor format (`catalog-info.yaml`), as far as the portal has a place for it.

| document | becomes |
|---|---|
| Component, Resource | a service |
| Group | a team |
| User | membership of an account that exists already |
| API | who consumes it depends on who provides it, softly |
| System, Domain | nothing of its own; a component keeps the name of its system |
| Location | further files below the folder being imported |

`dependsOn` is a hard dependency. Whatever is not carried is listed as lost.

Source: Backstage, "Descriptor Format of Catalog Entities",
https://backstage.io/docs/features/software-catalog/descriptor-format and, for annotations,
https://backstage.io/docs/features/software-catalog/well-known-annotations
"""

import re
from typing import Any

from catalog.domain.aws_identifiers import identifiers_of
from catalog.domain.entries import Entry, Fields, Reference, ServiceEntry, TeamEntry
from core.yaml_documents import Path

__all__ = ["FORMAT", "KINDS", "is_backstage", "read_backstage", "slug_of"]

FORMAT = "backstage"
KINDS = ("Component", "Resource", "API", "System", "Domain", "Group", "User", "Location")
API_VERSIONS = ("backstage.io/v1alpha1", "backstage.io/v1beta1")

ANNOTATIONS = ("metadata", "annotations")
TIER_KEYS = ("sreportal.io/tier", "tier", "service-tier")
OWN_KEYS = {
    "sreportal.io/aws-region": "aws_region",
    "sreportal.io/ecs-cluster": "ecs_cluster",
    "sreportal.io/ecs-service": "ecs_service",
    "sreportal.io/rds-instance": "rds_instance",
    "sreportal.io/load-balancer": "load_balancer",
    "sreportal.io/runbook": "runbook_url",
    "sreportal.io/repository": "repository_url",
    "amazonaws.com/region": "aws_region",
    "aws.amazon.com/region": "aws_region",
    "amazonaws.com/ecs-cluster": "ecs_cluster",
    "amazonaws.com/ecs-service": "ecs_service",
    "amazonaws.com/rds-instance": "rds_instance",
    "amazonaws.com/load-balancer": "load_balancer",
}
AWS_PREFIXES = ("amazonaws.com/", "aws.amazon.com/", "sreportal.io/")
PROJECT_HOSTS = {
    "github.com/project-slug": "https://github.com/",
    "gitlab.com/project-slug": "https://gitlab.com/",
}
SOURCE_LOCATION = "backstage.io/source-location"

_TIER = re.compile(r"(?:tier[\s_-]*)?([0-3])", re.IGNORECASE)
_REFERENCE = re.compile(
    r"(?:(?P<kind>[A-Za-z]+):)?(?:(?P<namespace>[\w.-]+)/)?(?P<name>[\w.-]+)", re.ASCII
)
_RUNBOOK = re.compile(r"run-?\s?book|playbook", re.IGNORECASE)
_REPOSITORY = re.compile(r"\b(repo(sitory)?|source( code)?|code)\b", re.IGNORECASE)


def is_backstage(data: Any) -> bool:
    """Return whether a document says that it is written in this format."""
    return isinstance(data, dict) and str(data.get("apiVersion", "")).startswith("backstage.io/")


def slug_of(namespace: str, name: str) -> str:
    """Return the portal's slug of an entity: its name, after its namespace unless `default`."""
    whole = name if namespace.lower() == "default" else f"{namespace}-{name}"
    return re.sub(r"[^a-z0-9]+", "-", whole.lower()).strip("-")


def read_backstage(fields: Fields) -> Entry:
    """Read one entity."""
    entry = fields.entry
    entry.format = FORMAT
    fields.use(("kind",))
    version = fields.text("apiVersion")
    if version not in API_VERSIONS:
        fields.wrong(("apiVersion",), f"Known are {' and '.join(API_VERSIONS)}.")
    if entry.kind not in KINDS:
        fields.wrong(("kind",), f"Known kinds are {', '.join(KINDS)}.")
        return entry
    name = fields.text("metadata", "name", required=entry.kind != "Location")
    namespace = fields.text("metadata", "namespace") or "default"
    slug = slug_of(namespace, name or "")
    if name and slug != name:
        fields.remark(("metadata", "name"), f"Carried as {slug}.")
    readers = {
        "Component": _read_service,
        "Resource": _read_service,
        "Group": _read_group,
        "User": _read_user,
        "Location": _read_location,
    }
    if reader := readers.get(entry.kind):
        reader(fields, slug, namespace)
    elif entry.kind != "API":
        fields.remark((), f"The portal keeps no {entry.kind} of its own.")
    entry.lost = fields.lost()
    return entry


def _reference(
    fields: Fields, path: Path, text: str, *, kind: str, namespace: str, is_hard: bool = True
) -> Reference | None:
    match = _REFERENCE.fullmatch(text)
    if match is None:
        fields.wrong(path, f"{text[:80]} is no entity reference ([kind:][namespace/]name).")
        return None
    found = (match["kind"] or kind).lower()
    return Reference(path, found, slug_of(match["namespace"] or namespace, match["name"]), is_hard)


def _references(
    fields: Fields, *path: str, kind: str, namespace: str, is_hard: bool = True
) -> list[Reference] | None:
    texts = fields.texts(*path)
    if texts is None:
        return None
    read = [
        _reference(fields, where, text, kind=kind, namespace=namespace, is_hard=is_hard)
        for where, text in texts
    ]
    return [reference for reference in read if reference]


def _described(fields: Fields) -> dict[str, Any]:
    values = {
        "name": fields.text("metadata", "title"),
        "description": fields.text("metadata", "description"),
    }
    return {name: value for name, value in values.items() if value}


def _read_service(fields: Fields, slug: str, namespace: str) -> None:
    values = _described(fields)
    said = {"lifecycle": fields.text("spec", "lifecycle"), "kind": fields.text("spec", "type")}
    values |= {name: value for name, value in said.items() if value}
    system = fields.text("spec", "system")
    if system and (
        found := _reference(fields, ("spec", "system"), system, kind="system", namespace=namespace)
    ):
        values["system"] = found.slug
    values |= _tier(fields) | _links(fields) | _annotated(fields)

    def listed(name: str, kind: str, *, is_hard: bool = True) -> list[Reference] | None:
        return _references(fields, "spec", name, kind=kind, namespace=namespace, is_hard=is_hard)

    fields.entry.service = ServiceEntry(
        slug=slug,
        values=values,
        owner=_owner(fields, namespace),
        dependencies=listed("dependsOn", "component"),
        dependents=listed("dependencyOf", "component") or [],
        consumes=listed("consumesApis", "api", is_hard=False),
        provides=listed("providesApis", "api") or [],
    )


def _owner(fields: Fields, namespace: str) -> Reference | None:
    path = ("spec", "owner")
    owner = fields.text(*path)
    found = _reference(fields, path, owner, kind="group", namespace=namespace) if owner else None
    if found is not None and found.kind != "group":
        fields.give_up(path, f"A team owns a service; {owner} is none.")
        return None
    return found


def _tier(fields: Fields) -> dict[str, int]:
    for parent in ("labels", "annotations"):
        for key in TIER_KEYS:
            path = ("metadata", parent, key)
            value = fields.raw(*path)
            match = _TIER.fullmatch(str(value).strip()) if value is not None else None
            if match:
                fields.use(path)
                return {"tier": int(match[1])}
            if value is not None:
                fields.give_up(path, "A tier is 0, 1, 2 or 3.")
    return {}


def _links(fields: Fields) -> dict[str, str]:
    """Read the runbook and the repository from `metadata.links`, by type or else by title."""
    found: dict[str, str] = {}
    for index in range(len(fields.items("metadata", "links") or [])):
        path = ("metadata", "links", index)
        if not isinstance(fields.raw(*path), dict):
            fields.wrong(path, "Expected a mapping with url and title.")
            continue
        words = " ".join(str(fields.raw(*path, key) or "") for key in ("type", "title", "icon"))
        name = _meaning(words)
        if name and name not in found and (url := fields.text(*path, "url", required=True)):
            fields.use(path)
            found[name] = url
    return found


def _meaning(words: str) -> str:
    if _RUNBOOK.search(words):
        return "runbook_url"
    return "repository_url" if _REPOSITORY.search(words) else ""


def _annotated(fields: Fields) -> dict[str, str]:
    """Read annotations; plain names win over ARNs, a stated location over a project's name."""
    found: dict[str, str] = {}
    keys = [*fields.mapping(*ANNOTATIONS)]
    for key in keys:
        if key in PROJECT_HOSTS and (project := fields.text(*ANNOTATIONS, key)):
            found["repository_url"] = PROJECT_HOSTS[key] + project.strip("/")
    if SOURCE_LOCATION in keys:
        found |= _source_location(fields)
    for key in keys:
        if key.startswith(AWS_PREFIXES) and key not in OWN_KEYS:
            found |= _arns(fields, key)
    for key in keys:
        if key in OWN_KEYS and (value := fields.text(*ANNOTATIONS, key)):
            found[OWN_KEYS[key]] = value
    return found


def _source_location(fields: Fields) -> dict[str, str]:
    path = (*ANNOTATIONS, SOURCE_LOCATION)
    location = fields.text(*path) or ""
    address = location.removeprefix("url:")
    if address.startswith(("https://", "http://")):
        return {"repository_url": address}
    fields.give_up(path, "Only a url: location is kept.")
    return {}


def _arns(fields: Fields, key: str) -> dict[str, str]:
    value = fields.raw(*ANNOTATIONS, key)
    found: dict[str, str] = {}
    if isinstance(value, str):
        for arn in value.split(","):
            found |= identifiers_of(arn.strip())
    if found:
        fields.use((*ANNOTATIONS, key))
    return found


def _read_group(fields: Fields, slug: str, _namespace: str) -> None:
    values = _described(fields)
    if display := fields.text("spec", "profile", "displayName"):
        values["name"] = display
    if contact := fields.text(*ANNOTATIONS, "sreportal.io/contact") or fields.text(
        "spec", "profile", "email"
    ):
        values["contact"] = contact
    fields.text("spec", "type")
    fields.give_up(("spec", "type"))
    members = fields.texts("spec", "members")
    fields.entry.team = TeamEntry(
        slug=slug,
        values=values,
        members=None if members is None else [_person(path, text) for path, text in members],
    )


def _person(path: Path, text: str) -> Reference:
    """Return a person by user name, whose spelling is kept: it is looked up, not made."""
    return Reference(path, "user", text.rpartition(":")[2].rpartition("/")[2])


def _read_user(fields: Fields, _slug: str, namespace: str) -> None:
    entry = fields.entry
    entry.person = _person(("metadata", "name"), str(fields.raw("metadata", "name") or ""))
    entry.person_email = fields.text("spec", "profile", "email") or ""
    entry.person_teams = (
        _references(fields, "spec", "memberOf", kind="group", namespace=namespace) or []
    )


def _read_location(fields: Fields, _slug: str, _namespace: str) -> None:
    kind = fields.text("spec", "type") or "file"
    single = fields.text("spec", "target")
    targets: list[tuple[Path, str]] = [(("spec", "target"), single)] if single else []
    targets += fields.texts("spec", "targets") or []
    for path, target in targets:
        if kind != "file" or re.match(r"[a-z][a-z0-9+.-]*:", target, re.IGNORECASE):
            fields.give_up(path, "Nothing is fetched over the network; import that file itself.")
        else:
            fields.entry.targets.append(Reference(path, "file", target))
    if not targets and not fields.entry.errors:
        fields.wrong(("spec", "targets"), "A location names at least one target.")
