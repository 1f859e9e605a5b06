"""People of an export: found here or made, with the ways and rules by which they are called."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.db import transaction
from django.utils.text import slugify

from accounts.models import User
from accounts.roles import Role
from accounts.services.users import create_user
from core.audit import Who
from core.errors import DomainError
from core.locking import lock_in_order
from core.zones import zone_names
from notifications.domain.kinds import Kind, normalized
from notifications.models import ContactMethod, NotificationRule
from notifications.services.contacts import add_method
from notifications.services.rules import add_rule
from oncall.domain.exports.documents import ImportedPerson, ImportedRule
from oncall.services.importing_outcome import Item, Missing, Outcome, why

__all__ = ["People"]

GONE = "{} is no longer active here: nobody would be called."
_OWN_RULES = "They have rules of their own here."


class People:
    """Accounts of an export's people, by their keys there.

    Args:
        outcome: Gets what became of each.
        actor: Who imports.
        now: The present.
        create_users: Make responders of those who have no account.
        aliases: Email address, user name or key there → user name here.
    """

    def __init__(
        self,
        outcome: Outcome,
        actor: Who,
        now: datetime,
        *,
        create_users: bool,
        aliases: Mapping[str, str],
    ) -> None:
        self.outcome = outcome
        self._actor, self._now = actor, now
        self._create_users, self._aliases = create_users, aliases
        self._people: dict[str, User] = {}
        self._names: dict[str, str] = {}

    def hold(self, people: Iterable[ImportedPerson]) -> None:
        """Keep who has an account from being changed, or given ways to be called, until all is done."""
        known = {found.pk for person in people if (found := self._match(person)) is not None}
        lock_in_order(User.objects.filter(pk__in=known))

    def take(self, person: ImportedPerson) -> None:
        """Find or make an account for a person, with the ways and rules they are called by."""
        self._names[person.key] = person.name
        found, action = self._match(person), "match"
        if found is None and self._create_users and person.email:
            found, action = self._made(person), "create"
        if found is None:
            self.outcome.unmatched.append(person.email or person.username or person.name)
            return
        self._people[person.key] = found
        lost = person.lost
        if not found.is_active:
            lost = (*lost, GONE.format(found))
        if action == "create" and person.zone and person.zone not in zone_names():
            lost = (*lost, f"Their time zone {person.zone} is unknown: theirs is UTC here.")
        self.outcome.items.append(Item("user", person.name, action, found.username, lost=lost))
        for way in person.ways:
            self._take_way(found, Kind(way.kind), way.address, way.label)
        for urgency in ("high", "low"):
            rules = [rule for rule in person.rules if rule.urgency == urgency]
            self._take_rules(found, urgency, rules)

    def _match(self, person: ImportedPerson) -> User | None:
        for given in (person.email, person.username, person.key):
            if given and given in self._aliases:
                return User.objects.filter(username=self._aliases[given]).first()
        if person.email and (known := User.objects.filter(email__iexact=person.email).first()):
            return known
        return User.objects.filter(username=person.username).first() if person.username else None

    def _made(self, person: ImportedPerson) -> User | None:
        wanted = slugify(person.username or person.email.partition("@")[0]) or "person"
        alike = User.objects.filter(username__istartswith=wanted).values_list("username", flat=True)
        taken = {username.lower() for username in alike}
        name, number = wanted, 1
        while name in taken:
            number += 1
            name = f"{wanted}{number}"
        first, _, last = person.name.partition(" ")
        fields = {"timezone": person.zone} if person.zone in zone_names() else {}
        try:
            with transaction.atomic():
                return create_user(
                    username=name,
                    email=person.email,
                    first_name=first[:150],
                    last_name=last[:150],
                    role=Role.RESPONDER,
                    now=self._now,
                    actor=self._actor,
                    **fields,
                )
        except DomainError as error:
            item = Item("user", person.name, "refuse", reason=why(error))
            self.outcome.items.append(item)
            return None

    def _take_way(self, person: User, kind: Kind, address: str, label: str) -> None:
        known = {m.known_address for m in ContactMethod.objects.filter(person=person, kind=kind)}
        name = f"{person}: {kind.label}"
        if address in known:
            self.outcome.items.append(Item("contact_method", name, "same"))
            return
        try:
            with transaction.atomic():
                add_method(
                    person=person, kind=kind, label=label, address=address, actor=self._actor,
                    now=self._now,
                )  # fmt: skip
        except DomainError as error:
            self.outcome.items.append(Item("contact_method", name, "refuse", reason=why(error)))
            return
        lost = ("It counts once its owner has verified it.",)
        self.outcome.items.append(Item("contact_method", name, "create", lost=lost))

    def _take_rules(self, person: User, urgency: str, given: Sequence[ImportedRule]) -> None:
        """Take the rules of one urgency over, unless they have some of their own here."""
        methods = {
            (Kind(method.kind), method.known_address): method
            for method in ContactMethod.objects.filter(person=person)
        }
        pairs = [
            (methods.get((kind := Kind(rule.way.kind), normalized(kind, rule.way.address))), rule)
            for rule in given
        ]
        wanted = {(method.pk, rule.after): method for method, rule in pairs if method}
        if not wanted:
            return
        name = f"{person}: rules for {urgency} urgency"
        own = NotificationRule.objects.filter(person=person, urgency=urgency)
        stored = set(own.values_list("method", "delay"))
        if stored:
            action, reason = ("same", "") if stored == set(wanted) else ("skip", _OWN_RULES)
            self.outcome.items.append(Item("notification_rules", name, action, reason=reason))
            return
        try:
            with transaction.atomic():
                for (_, after), method in wanted.items():
                    add_rule(
                        person, urgency=urgency, method=method, delay=after, actor=self._actor,
                        now=self._now,
                    )  # fmt: skip
        except DomainError as error:
            self.outcome.items.append(Item("notification_rules", name, "refuse", reason=why(error)))
            return
        changes = tuple(
            f"{Kind(method.kind).label} after {int(after.total_seconds() // 60)} min"
            for (_, after), method in wanted.items()
        )
        self.outcome.items.append(Item("notification_rules", name, "create", changes=changes))

    def account_of(self, key: str) -> User:
        """Return the account of a person, by the key there; `Missing` without one that is active."""
        if key not in self._people:
            raise Missing(f"{self._names.get(key, key)} has no account here.")
        found = self._people[key]
        if not found.is_active:
            raise Missing(GONE.format(found))
        return found
