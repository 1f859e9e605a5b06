"""Taking over what another tool exported, with what sends alerts to it.

Senders that keep their keys need only another base URL. Everything is done and, for a dry run, taken
back, so that a plan is what would really happen.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction

from catalog.models import RESERVED_SLUGS, Service
from catalog.services.services import create_service
from core.errors import DomainError
from incidents.models import Integration
from incidents.services.integrations import save_integration, with_key
from oncall.domain.exports import Export
from oncall.domain.exports.documents import ImportedSender
from oncall.domain.exports.slugs import distinct_slugs
from oncall.services.importing import import_export, slug_of
from oncall.services.importing_outcome import Item, Missing, Outcome, why
from oncall.services.policies import call_by

__all__ = ["import_all"]

ALIKE = "The file has another of this name, and not the key of this one: name them apart there."


def import_all(
    export: Export,
    *,
    actor: str,
    now: datetime,
    dry_run: bool = False,
    create_users: bool = False,
    aliases: Mapping[str, str] | None = None,
) -> Outcome:
    """Carry an export over, senders last; importing it again changes only what differs.

    Args:
        export: What was read.
        actor: Who imports.
        now: The present.
        dry_run: Only say what would happen.
        create_users: As in `oncall.services.importing.import_export`.
        aliases: As there.
    """
    with transaction.atomic():
        outcome = import_export(
            export, actor=actor, now=now, create_users=create_users, aliases=aliases
        )
        slugs, taken = _slugs(export.senders), set[int]()
        for sender in export.senders:
            slug = slugs.get((sender.key, sender.service), "")
            try:
                with transaction.atomic():
                    done = _take(sender, slug, outcome, taken, actor=actor, now=now)
                    outcome.items += list(done)
            except (Missing, DomainError) as error:
                outcome.items.append(_refused(sender, why(error)))
            except ValidationError as error:
                outcome.items.append(_refused(sender, " ".join(error.messages)))
        if dry_run:
            transaction.set_rollback(True)
    return outcome


def _refused(sender: ImportedSender, why: str) -> Item:
    return Item("integration", sender.name, "refuse", reason=why)


def _slugs(senders: Iterable[ImportedSender]) -> dict[tuple[str, str], str]:
    """Return the slug of each service, by its key and name there."""
    things = {(sender.key, sender.service) for sender in senders if not sender.refused}
    held = dict(Service.objects.values_list("slug", "name"))
    return distinct_slugs(things, lambda name: slug_of(name, RESERVED_SLUGS), held)


def _take(
    sender: ImportedSender,
    slug: str,
    outcome: Outcome,
    taken: set[int],
    *,
    actor: str,
    now: datetime,
) -> Iterator[Item]:
    """Carry one sender over; `taken` are the integrations of those before it, and gets its own."""
    if sender.refused:
        raise Missing(sender.refused)
    service = Service.objects.filter(slug=slug).first()
    if service is None:
        values = {"slug": slug, "name": sender.service}
        service = create_service(values=values, now=now, actor=actor)
        yield Item("service", sender.service, "create", slug)
    lost = [*sender.lost, *_called(service, sender, outcome, actor=actor, now=now)]
    if service.name != sender.service:
        lost.append(f"Its alerts are of the service {service} ({slug}) that is here.")
    known = with_key(sender.token) if sender.token else _of_name(sender, service)
    if known is not None and (known.service_id, known.kind) != (service.pk, sender.kind):
        raise Missing(f"Its key belongs to {known} of {known.service} here.")
    if known is not None and not sender.token and known.pk in taken:
        raise Missing(ALIKE)
    integration = known or Integration()
    if known is None:
        if not sender.token:
            lost.append("The export does not say its key: replace it on its page, and there.")
        fields = {"kind": sender.kind, "name": sender.name, "service": service}
        save_integration(integration, fields=fields, actor=actor, now=now, key=sender.token)
    taken.add(integration.pk)
    yield Item("integration", sender.name, "same" if known else "create", slug, lost=tuple(lost))


def _called(
    service: Service, sender: ImportedSender, outcome: Outcome, *, actor: str, now: datetime
) -> Iterator[str]:
    """Have a service called by the policy of its sender; says where that is not so."""
    policy = outcome.policies.get(sender.policy)
    if policy is None:
        if sender.policy:
            yield "Whom it calls is not carried: the default policy does."
        return
    held = call_by(service, policy, actor=actor, now=now)
    if held != policy:
        yield f"{service} is called by {held} here already, not by {policy}."


def _of_name(sender: ImportedSender, service: Service) -> Integration | None:
    return Integration.objects.filter(service=service, kind=sender.kind, name=sender.name).first()
