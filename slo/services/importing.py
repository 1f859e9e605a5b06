"""Importing SLOs that other tools wrote: all that is right is carried, all that is not is said."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import transaction
from django.db.models import QuerySet

from accounts.models import User
from accounts.roles import Role
from catalog.models import Service
from catalog.services.services import create_service
from core import audit
from core.errors import Conflict, DomainError, Forbidden
from core.yaml_documents import Path, spell
from core.yaml_files import SourceFile
from slo.domain.exchange.checks import Remark
from slo.domain.exchange.drafts import Entry, PlannedSli, PlannedSlo, SourceRef
from slo.domain.exchange.planning import kind_of_type, slugify
from slo.domain.exchange.reading import Known, Read, read_set
from slo.models import Sli, Slo, Source
from slo.services import composites, objectives

# Where a Prometheus usually is; an imported source that says no address gets it, and a warning.
USUAL_ADDRESS = "http://localhost:9090"


@dataclass(frozen=True)
class Verdict:
    """What became of one document.

    Args:
        read: The document.
        slos: Slugs of the SLOs made or changed.
    """

    read: Read
    slos: list[str]

    @property
    def accepted(self) -> bool:
        """Whether it was carried."""
        return self.read.accepted

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict in the shape that scripts rely on."""
        read = self.read
        kinds = list(dict.fromkeys(entry.kind for entry in read.entries if entry.kind))
        formats = list(dict.fromkeys(entry.format for entry in read.entries if entry.format))
        report = read.report
        return {
            "file": read.file,
            "document": read.document.number,
            "kind": ", ".join(kinds) or None,
            "format": ", ".join(formats) or None,
            "accepted": read.accepted,
            "slos": self.slos if read.accepted else [],
            "errors": self._remarks(report.errors),
            "warnings": self._remarks(report.warnings),
            "lost": self._remarks(report.lost),
        }

    def _remarks(self, remarks: Iterable[Remark]) -> list[dict[str, Any]]:
        document = self.read.document
        return [
            {
                "path": spell(remark.path),
                "line": document.line_of(remark.path) if remark.path else document.problem_line,
                "message": remark.message,
            }
            for remark in remarks
        ]


def known_to(actor: User | str | None) -> Known:
    """Return what documents may refer to without bringing it along."""
    slos = Slo.objects.filter(sli__service__in=_services_of(actor).values("pk"))
    return Known(
        sources=dict(Source.objects.values_list("slug", "kind")),
        sli_of_slo=dict(slos.values_list("slug", "sli__slug")),
    )


def _services_of(actor: User | str | None) -> QuerySet[Service]:
    """Return the services that `actor` may know of; whoever is at the command line, all."""
    return Service.objects.visible_to(actor) if isinstance(actor, User) else Service.objects.all()


def import_files(
    sources: Iterable[SourceFile],
    *,
    now: datetime,
    actor: User | str | None,
    dry_run: bool = False,
) -> list[Verdict]:
    """Import every document; one that is refused keeps none of the others out.

    Importing the same again changes nothing. With `dry_run` everything is tried and taken back.
    What `actor` may not know of is neither changed nor named, and only administrators add sources:
    the portal sends its questions to their addresses.
    """
    found = read_set(
        [(source.name, source.text, source.problem) for source in sources], known_to(actor)
    )
    with transaction.atomic():
        writer = _Writer(found, actor, now)
        verdicts = [Verdict(read, writer.write(read)) for read in _in_order(found)]
        if dry_run:
            transaction.set_rollback(True)
    order = {id(read): number for number, read in enumerate(found)}
    return sorted(verdicts, key=lambda verdict: order[id(verdict.read)])


def _in_order(found: list[Read]) -> list[Read]:
    """Return services and sources first, SLOs next, composites last."""

    def rank(read: Read) -> int:
        if any(slo.members for slo in read.planned):
            return 2
        return 1 if read.planned else 0

    return sorted(found, key=rank)


class _Writer:
    def __init__(self, found: Iterable[Read], actor: User | str | None, now: datetime) -> None:
        self.services = _services_of(actor)
        self.may_add_sources = not isinstance(actor, User) or actor.has_role(Role.ADMIN)
        self.slugs = {slo.slug for read in found for slo in read.planned}
        self.actor = actor
        self.now = now

    def write(self, read: Read) -> list[str]:
        """Write one document, all of it or nothing; what is refused is said in its report."""
        if not read.accepted:
            return []
        where: Path = ()
        slugs = []
        try:
            with transaction.atomic():
                for entry in read.entries:
                    self._entry(entry)
                for planned in read.planned:
                    where = planned.path
                    slugs.append(self._slo(planned, read).slug)
        except ValidationError as error:
            for message in _messages(error):
                read.report.wrong(where, message)
        except DomainError as error:
            read.report.wrong(where, error.message)
        else:
            return slugs
        return []

    def _entry(self, entry: Entry) -> None:
        if entry.service is not None:
            said = entry.service
            self._service(slugify(said.slug), name=said.name, description=said.description)
        if entry.source is not None:
            self._source_of(entry.source.slug, entry.source.type, entry.source.details)

    def _service(
        self, slug: str, *, name: str | None = None, description: str | None = None
    ) -> Service:
        found = self.services.filter(slug=slug).first()
        if found is not None:
            return found
        values = {"slug": slug, "name": name or slug, "description": description or ""}
        return create_service(values=values, now=self.now, actor=self.actor)

    def _source_of(self, name: str, type_: str, details: Mapping[str, Any]) -> Source | None:
        kind, slug = kind_of_type(type_), slugify(name)
        if kind not in Source.Kind.values or not slug:
            return None
        found = Source.objects.filter(slug=slug).first()
        if found is not None:
            return found
        if not self.may_add_sources:
            raise Forbidden(
                f"There is no source {slug}; add it first, or have an administrator import this."
            )
        url = next((str(details[k]) for k in ("url", "address", "endpoint") if k in details), "")
        row = Source(slug=slug, kind=kind, region=str(details.get("region", "")))
        if kind == Source.Kind.PROMETHEUS:
            row.url = url or USUAL_ADDRESS
        row.full_clean()
        row.save()
        audit.record(act="source.created", subject=row, actor=self.actor, now=self.now)
        return row

    def _source(self, asked: SourceRef | None, read: Read) -> Source | None:
        if asked is None:
            return None
        if asked.name:
            slug = slugify(asked.name)
            found = Source.objects.filter(slug=slug).first()
            return found or self._source_of(slug, asked.type, asked.details)
        kind = kind_of_type(asked.type)
        of_kind = list(Source.objects.filter(kind=kind)[:2])
        if len(of_kind) == 1:
            return of_kind[0]
        made = self._source_of(kind, asked.type, asked.details)
        if made is not None and made.url == USUAL_ADDRESS:
            read.report.warn(
                asked.path,
                f"The source {made.slug} asks {USUAL_ADDRESS}; set its address in the admin.",
            )
        return made

    def _sli(self, planned: PlannedSli, present: Slo | None, service: Service, read: Read) -> Sli:
        fields = {
            **planned.fields,
            "service": service,
            "source": self._source(planned.source, read),
        }
        found = Sli.objects.filter(slug=planned.slug).first()
        if found is None and present is not None and present.sli.service_id == service.pk:
            # Its history is kept under its SLI, whatever documents call that by now.
            alone = not present.sli.slos.exclude(pk=present.pk).exists()
            found = present.sli if alone else None
        if found is None:
            return objectives.create_sli(
                slug=planned.slug, actor=self.actor, now=self.now, **fields
            )
        self._refuse_foreign(found, service, fields)
        return objectives.change_sli(sli=found, actor=self.actor, now=self.now, fields=fields)

    def _refuse_foreign(self, sli: Sli, service: Service, fields: Mapping[str, Any]) -> None:
        """Refuse to change what SLOs outside of this import are measured by."""
        if sli.service_id != service.pk:
            raise Conflict(f"The SLI {sli.slug} is another service's; choose another name.")
        others = sli.slos.exclude(slug__in=self.slugs).values_list("slug", flat=True)
        differs = any(getattr(sli, name) != value for name, value in fields.items())
        if differs and (user := others.first()):
            raise Conflict(
                f"The SLI {sli.slug} is something else here, and {user} needs it;"
                " choose another name, or import that SLO with it."
            )

    def _slo(self, planned: PlannedSlo, read: Read) -> Slo:
        service = self._service(planned.service)
        found = Slo.objects.select_related("sli").filter(slug=planned.slug).first()
        if found is not None and not self.services.filter(pk=found.sli.service_id).exists():
            raise Conflict(f"The slug {planned.slug} is taken; choose another name.")
        sli = self._sli(planned.sli, found, service, read)
        fields = {**planned.fields, "sli": sli}
        if found is None:
            slo = objectives.create_slo(
                objective=planned.objective,
                slug=planned.slug,
                actor=self.actor,
                now=self.now,
                **fields,
            )
        else:
            slo = objectives.change_slo(
                slo=found,
                actor=self.actor,
                now=self.now,
                fields={**fields, "objective": planned.objective, "reason": "imported"},
            )
        if planned.members:
            self._members(sli, planned)
        return slo

    def _members(self, sli: Sli, planned: PlannedSlo) -> None:
        wanted = dict(planned.members)
        visible = Slo.objects.filter(sli__service__in=self.services.values("pk"))
        members = {slo.slug: slo for slo in visible.filter(slug__in=wanted)}
        for slug in wanted:
            if slug not in members:
                raise ValidationError({"members": f"There is no SLO {slug}."})
        weighted = {members[slug]: weight for slug, weight in wanted.items()}
        composites.set_members(sli, weighted, actor=self.actor, now=self.now)


def _messages(error: ValidationError) -> list[str]:
    if not hasattr(error, "error_dict"):
        return list(error.messages)
    fields = error.message_dict.items()
    return [
        message if name == NON_FIELD_ERRORS else f"{name}: {message}"
        for name, messages in fields
        for message in messages
    ]
