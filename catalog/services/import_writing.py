"""Writing what an import has read: teams, then services, then what ties them together."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from accounts.models import User
from catalog.domain.entries import Entry, Reference, Remark, ServiceEntry
from catalog.models import Service, Team
from catalog.services.records import Actor
from catalog.services.services import create_service, hidden_from, update_service
from catalog.services.teams import create_team, update_team
from core.errors import DomainError
from core.yaml_documents import Document, Path

__all__ = ["Item", "Writer"]

TAKEN = "This slug is taken."
SERVICE_KINDS = {"component", "resource", "service"}


@dataclass
class Item:
    """One document on its way in."""

    file: str
    document: Document
    entry: Entry
    action: str = "unchanged"
    warnings: list[Remark] = field(default_factory=list)
    lost: list[Path] = field(default_factory=list)

    @property
    def slug(self) -> str:
        """Slug of the team or service it describes, or ""."""
        entry = self.entry
        return entry.team.slug if entry.team else entry.service.slug if entry.service else ""

    @property
    def name_path(self) -> Path:
        """Where the document says its name."""
        return ("metadata", "name") if self.entry.format == "backstage" else ("slug",)

    def forget(self) -> None:
        """Take back what a write that was undone has noted."""
        self.action = "unchanged"
        self.warnings.clear()
        self.lost.clear()

    def changed(self, changes: object) -> None:
        """Note that the document changed something, unless `changes` is empty."""
        if changes and self.action == "unchanged":
            self.action = "updated"

    def miss(self, reference: Reference, message: str) -> None:
        """Note a reference to what is not there: an error in our own format, else a loss."""
        if self.entry.format == "backstage":
            self.warnings.append(Remark(reference.path, message))
            self.lost.append(reference.path)
        else:
            self.entry.errors.append(Remark(reference.path, message))


class Writer:
    """Writes documents that read well; what goes wrong is noted in their entries."""

    def __init__(self, items: list[Item], *, now: datetime, actor: Actor) -> None:
        self._items = items
        self._now = now
        self._actor = actor
        self._hidden = hidden_from(actor)
        self._teams: dict[str, Team] = {}
        self._services: dict[str, Service] = {}
        self._hidden_slugs: set[str] = set()

    def write(self) -> None:
        """Write all documents, each in a savepoint of its own."""
        self._load()
        self._refuse_twins()
        for step in (self._write_team, self._write_service, self._tie):
            for item in self._items:
                self._attempt(step, item)

    def _load(self) -> None:
        self._teams = {team.slug: team for team in Team.objects.prefetch_related("members")}
        for service in Service.objects.select_related("owner"):
            if service.pk in self._hidden:
                self._hidden_slugs.add(service.slug)
            else:
                self._services[service.slug] = service
        self._joining = self._people_joining()
        self._providers: dict[str, list[str]] = defaultdict(list)
        self._dependents: dict[str, list[str]] = defaultdict(list)
        for entry in self._service_entries():
            for api in entry.provides:
                self._providers[api.slug].append(entry.slug)
            for dependent in entry.dependents:
                self._dependents[dependent.slug].append(entry.slug)

    def _service_entries(self) -> Iterable[ServiceEntry]:
        return (item.entry.service for item in self._items if item.entry.service)

    def _refuse_twins(self) -> None:
        first: dict[tuple[bool, str], Item] = {}
        for item in self._items:
            if not item.slug:
                continue
            twin = first.setdefault((item.entry.team is None, item.slug), item)
            if twin is not item:
                where = f"document {twin.document.number} of {twin.file}"
                message = f"{item.slug} is there twice: it is in {where} too."
                item.entry.errors.append(Remark(item.name_path, message))

    def _attempt(self, step: Callable[[Item], None], item: Item) -> None:
        if item.entry.errors:
            return
        try:
            with transaction.atomic():
                step(item)
        except DomainError as error:
            for name, messages in (error.fields or {"": [error.message]}).items():
                path = self._path_of(item, name)
                item.entry.errors += [Remark(path, message) for message in messages]

    @staticmethod
    def _path_of(item: Item, name: str) -> Path:
        if name == "slug" or not name:
            return item.name_path
        if item.entry.format != "backstage":
            return (name,)
        return BACKSTAGE_PATHS.get(name, (*("metadata", "annotations"), name))

    def _write_team(self, item: Item) -> None:
        entry = item.entry.team
        if entry is None:
            return
        members = None
        if entry.members is not None or self._joining[entry.slug]:
            members = self._members(item, entry.members or [], entry.slug)
        team = self._teams.get(entry.slug)
        if team is None:
            self._teams[entry.slug] = create_team(
                values={"slug": entry.slug, **entry.values},
                members=members or (),
                now=self._now,
                actor=self._actor,
            )
            item.action = "created"
            return
        # Nobody is dropped by a list that is not said, or of which some could not be found.
        if members is not None and (entry.members is None or item.lost):
            members |= set(team.members.all())
        changes = update_team(
            team, values=entry.values, members=members, now=self._now, actor=self._actor
        )
        item.changed(changes)

    def _members(self, item: Item, references: list[Reference], slug: str) -> set[User]:
        people = set(self._joining[slug])
        for reference in references:
            person = _account(reference.slug, "")
            if person is None:
                item.miss(reference, f"There is no account {reference.slug}; an admin makes it.")
            else:
                people.add(person)
        return people

    def _people_joining(self) -> dict[str, set[User]]:
        joining: dict[str, set[User]] = defaultdict(set)
        for item in self._items:
            reference = item.entry.person
            if reference is None:
                continue
            person = _account(reference.slug, item.entry.person_email)
            if person is None:
                item.miss(reference, f"There is no account {reference.slug}; an admin makes it.")
                continue
            for team in item.entry.person_teams:
                joining[team.slug].add(person)
        return joining

    def _write_service(self, item: Item) -> None:
        entry = item.entry.service
        if entry is None:
            return
        if entry.slug in self._hidden_slugs:
            item.entry.errors.append(Remark(item.name_path, TAKEN))
            return
        values = dict(entry.values)
        if entry.owner is not None:
            owner = self._owner(item, entry.owner)
            if owner is not None:
                values["owner"] = owner
        service = self._services.get(entry.slug)
        if service is None:
            values = {"slug": entry.slug, **values}
            made = create_service(values=values, now=self._now, actor=self._actor)
            self._services[entry.slug] = made
            item.action = "created"
        else:
            item.changed(update_service(service, values=values, now=self._now, actor=self._actor))

    def _owner(self, item: Item, reference: Reference) -> Team | None:
        team = self._teams.get(reference.slug)
        if team is None and item.entry.format == "backstage":
            values = {"slug": reference.slug}
            team = create_team(values=values, now=self._now, actor=self._actor)
            self._teams[reference.slug] = team
            message = f"There was no team {reference.slug}; it was made, without people."
            item.warnings.append(Remark(reference.path, message))
        elif team is None:
            item.miss(reference, f"There is no team {reference.slug}.")
        return team

    def _tie(self, item: Item) -> None:
        if item.entry.person is not None:
            self._join_outside(item)
        entry = item.entry.service
        if entry is None:
            return
        service = self._services[entry.slug]
        missing = len(item.lost)
        wanted = self._wanted(item, entry)
        said = entry.dependencies is not None or entry.consumes is not None
        present = {
            link.target: link.is_hard for link in service.dependencies.select_related("target")
        }
        if not said or len(item.lost) > missing:
            kept = {
                target: hard for target, hard in present.items() if target.pk not in self._hidden
            }
            wanted = kept | wanted
        if wanted != present:
            changes = update_service(
                service, values={}, dependencies=wanted, now=self._now, actor=self._actor
            )
            item.changed(changes)
        self._tie_outside(item, entry, service)

    def _wanted(self, item: Item, entry: ServiceEntry) -> dict[Service, bool]:
        wanted: dict[Service, bool] = {}
        for reference in [*(entry.consumes or []), *(entry.dependencies or [])]:
            targets = self._targets(item, reference)
            wanted |= {target: reference.is_hard for target in targets if target.slug != entry.slug}
            if reference.kind != "api" and any(target.slug == entry.slug for target in targets):
                message = f"{entry.slug} cannot depend on itself."
                item.entry.errors.append(Remark(reference.path, message))
        for slug in self._dependents[entry.slug]:
            if slug in self._services and slug != entry.slug:
                wanted[self._services[slug]] = True
        return wanted

    def _targets(self, item: Item, reference: Reference) -> list[Service]:
        if reference.kind == "api":
            slugs = self._providers[reference.slug]
        elif reference.kind in SERVICE_KINDS:
            slugs = [reference.slug]
        else:
            item.miss(reference, f"A service cannot depend on a {reference.kind} here.")
            return []
        found = [self._services[slug] for slug in slugs if slug in self._services]
        if not found:
            said = "Nothing here provides the API" if reference.kind == "api" else "No service"
            item.miss(reference, f"{said} {reference.slug}.")
        return found

    def _tie_outside(self, item: Item, entry: ServiceEntry, service: Service) -> None:
        """Carry `dependencyOf` to services that are not part of this import."""
        within = {other.slug for other in self._service_entries()}
        for reference in entry.dependents:
            if reference.slug in within:
                continue
            other = self._services.get(reference.slug)
            if other is None:
                item.miss(reference, f"No service {reference.slug}.")
                continue
            links = other.dependencies.select_related("target")
            present = {
                link.target: link.is_hard for link in links if link.target_id not in self._hidden
            }
            if not present.get(service):
                wanted = present | {service: True}
                update_service(
                    other, values={}, dependencies=wanted, now=self._now, actor=self._actor
                )
                item.changed(wanted)

    def _join_outside(self, item: Item) -> None:
        """Carry `memberOf` to teams that are not part of this import."""
        person = _account(
            item.entry.person.slug if item.entry.person else "", item.entry.person_email
        )
        within = {other.entry.team.slug for other in self._items if other.entry.team}
        for reference in item.entry.person_teams if person else []:
            team = self._teams.get(reference.slug)
            if team is None:
                item.miss(reference, f"There is no team {reference.slug}.")
            elif reference.slug not in within and person is not None:
                members = {*team.members.all(), person}
                item.changed(
                    update_team(team, values={}, members=members, now=self._now, actor=self._actor)
                )


BACKSTAGE_PATHS: dict[str, Path] = {
    "name": ("metadata", "title"),
    "description": ("metadata", "description"),
    "lifecycle": ("spec", "lifecycle"),
    "kind": ("spec", "type"),
    "system": ("spec", "system"),
    "owner": ("spec", "owner"),
    "contact": ("spec", "profile", "email"),
    "runbook_url": ("metadata", "links"),
    "repository_url": ("metadata", "links"),
    "dependencies": ("spec", "dependsOn"),
}


def _account(name: str, email: str) -> User | None:
    """Return the one account of that user name, or else of that address."""
    person = User.objects.filter(username__iexact=name).first()
    if person is None and email:
        people = list(User.objects.filter(email__iexact=email)[:2])
        person = people[0] if len(people) == 1 else None
    return person
