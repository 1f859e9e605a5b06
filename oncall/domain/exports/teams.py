"""Teams of other tools: who is in them, and of Opsgenie's whom a rule calls that names one.

- Opsgenie's `teams` have `members` (`GET /v2/teams/{id}`) and, where whoever exported them put them there,
  `routingRules` (`GET /v2/teams/{id}/routing-rules`).
- People of PagerDuty and of Grafana OnCall say in which `teams` they are.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from oncall.domain.exports.documents import (
    MISSHAPEN,
    ImportedPolicy,
    ImportedStep,
    ImportedTeam,
    Lost,
    Unreadable,
    listed,
    rows,
)

__all__ = ["OpsgenieTeams", "owner_of", "teams_of_people"]

Row = Mapping[str, Any]
Targets = tuple[tuple[str, str], ...]
_HOW = "list it with GET /v2/teams/{id}."
_AT_ONCE = timedelta()
_NOBODY = "The file does not say who is in it."


def teams_of_people(document: Row) -> list[ImportedTeam]:
    """Return the teams of a document whose people say theirs."""
    members: dict[str, list[str]] = defaultdict(list)
    for person in rows(document, "users"):
        for given in person.get("teams") or ():
            key = given.get("id") if isinstance(given, Mapping) else given
            members[str(key)].append(str(person.get("id")))
    found = []
    for row in rows(document, "teams"):
        key = str(row.get("id"))
        own = tuple(members[key])
        name = str(row.get("name") or row.get("summary") or key)
        said = str(row.get("description") or "")
        found.append(ImportedTeam(key, name, said, own, refused="" if own else _NOBODY))
    return found


def owner_of(row: Row) -> str:
    """Return the key of the team that owns something of Opsgenie; "" where none does."""
    team = row.get("ownerTeam")
    return str(team.get("id") or "") if isinstance(team, Mapping) else str(row.get("teamId") or "")


@dataclass(frozen=True)
class OpsgenieTeams:
    """The teams of an export.

    Args:
        document: The export.
        names: Keys of people, by their user names there.
        parts: Keys of the schedules that each schedule became.
    """

    document: Row
    names: Mapping[str, str]
    parts: Mapping[str, Sequence[str]]

    def carried(self) -> list[ImportedTeam]:
        """Return who is in which team."""
        return [self._team(row) for row in rows(self.document, "teams")]

    def policies(self) -> list[ImportedPolicy]:
        """Return a policy for each team that sends alerts and goes by a schedule alone."""
        senders = {owner_of(row) for row in rows(self.document, "integrations")}
        return [
            ImportedPolicy(
                _policy_of(row), f"{_name(row)} routing", "", (ImportedStep(targets, _AT_ONCE),)
            )
            for row in rows(self.document, "teams")
            if str(row.get("id")) in senders and (targets := self._scheduled(row))
        ]

    def called(self) -> dict[str, str]:
        """Return the key of the policy by which alerts of each team call.

        That of its default routing rule, else its first escalation.
        """
        found = {
            owner_of(row): str(row.get("id"))
            for row in reversed(rows(self.document, "escalations"))
            if owner_of(row)
        }
        for row in rows(self.document, "teams"):
            notify = _default(row)
            if notify.get("type") == "escalation":
                found[str(row.get("id"))] = self._key(notify, "escalations")
            elif self._scheduled(row):
                found[str(row.get("id"))] = _policy_of(row)
        return found

    def targets(self, recipient: Row, notify: str, lost: Lost, number: int) -> tuple[Targets, str]:
        """Return whom a rule calls that names a team, and how.

        Args:
            recipient: The team, as the rule names it.
            notify: Which of its people.
            lost: Gets what is otherwise here.
            number: Of the rule's step.

        Raises:
            Unreadable: The file does not have the team: nobody would be called.
        """
        key = self._key(recipient, "teams")
        row = next((row for row in rows(self.document, "teams") if str(row.get("id")) == key), None)
        if row is None:
            told = recipient.get("name") or key
            raise Unreadable(
                f"Step {number} calls the team {told}, which the file does not have: {_HOW}"
            )
        if notify in {"admins", "users", "random", "all"}:
            return self._among(row, notify, lost)
        if notify != "default":
            lost.add(f"Rule “notify {notify}” calls whoever is on call now.")
        if on_call := self._scheduled(row) or self._owned(key):
            return on_call, "all"
        lost.add(
            f"The team {_name(row)} has no schedule of its own in the file: all of it is called."
        )
        return _whole(row), "all"

    def _among(self, row: Row, notify: str, lost: Lost) -> tuple[Targets, str]:
        """Return those of a team whom a rule calls, and how."""
        if notify == "random":
            lost.add("Rule “notify random” calls one of the team in turn.")
            return _whole(row), "round_robin"
        if notify == "all":
            return _whole(row), "all"
        found = self._members(row)
        wanted = [key for key, is_admin in found if is_admin == (notify == "admins")]
        if wanted:
            return tuple(("person", key) for key in wanted), "all"
        lost.add(f"The team {_name(row)} has no {notify}: all of it is called.")
        return _whole(row), "all"

    def _team(self, row: Row) -> ImportedTeam:
        key, lost = str(row.get("id")), Lost()
        for rule in rows(row, "routingRules", "routing_rules"):
            if not rule.get("isDefault"):
                named = str(rule.get("name") or rule.get("id"))
                lost.add(
                    f"Its routing rule {named} is not carried: all alerts go by its default rule."
                )
        if _default(row).get("type") == "none":
            lost.add("Its default routing rule notified nobody.")
        said = str(row.get("description") or "")
        try:
            members = tuple(member for member, _ in self._members(row))
        except Unreadable as error:
            return ImportedTeam(key, _name(row), said, lost=tuple(lost), refused=str(error))
        except MISSHAPEN as error:
            why = f"Its members are not as expected ({error!r})."
            return ImportedTeam(key, _name(row), said, lost=tuple(lost), refused=why)
        return ImportedTeam(key, _name(row), said, members, tuple(lost))

    def _members(self, row: Row) -> list[tuple[str, bool]]:
        """Return the keys of a team's people, and whether they are its admins."""
        found = []
        for member in listed(row, "members", _HOW):
            user = member.get("user") or member
            key = user.get("id") or self.names.get(str(user.get("username"))) or user["username"]
            found.append((str(key), member.get("role") == "admin"))
        return found

    def _scheduled(self, row: Row) -> Targets:
        """Return the schedules that a team's default routing rule notifies."""
        notify = _default(row)
        if notify.get("type") != "schedule":
            return ()
        return self._parts_of(self._key(notify, "schedules"))

    def _owned(self, team: str) -> Targets:
        """Return the schedules that a team owns."""
        own = [row for row in rows(self.document, "schedules") if owner_of(row) == team]
        return tuple(part for row in own for part in self._parts_of(str(row.get("id"))))

    def _parts_of(self, schedule: str) -> Targets:
        return tuple(("schedule", part) for part in self.parts.get(schedule, [schedule]))

    def _key(self, named: Row, among: str) -> str:
        """Return the key of what is named by key or name."""
        if named.get("id"):
            return str(named["id"])
        known = rows(self.document, among)
        return next(
            (str(row.get("id")) for row in known if row.get("name") == named.get("name")), ""
        )


def _default(row: Row) -> Row:
    """Return whom a team's default routing rule notifies; empty where the file does not say."""
    rules = rows(row, "routingRules", "routing_rules")
    notify = next((rule.get("notify") for rule in rules if rule.get("isDefault")), None)
    return notify if isinstance(notify, Mapping) else {}


def _whole(row: Row) -> Targets:
    return (("team", str(row.get("id"))),)


def _name(row: Row) -> str:
    return str(row.get("name") or row.get("id"))


def _policy_of(row: Row) -> str:
    return f"team/{row.get('id')}"
