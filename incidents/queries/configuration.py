"""What people configured that decides how alerts are taken, read anew only when it has changed.

A process keeps what it read under the revision of the tables below (ADR 0012). It is shared by
threads, and nobody changes what it returns.
"""

from collections.abc import Callable, Collection, Hashable
from datetime import datetime
from typing import Any, TypeVar

from core import revisions
from incidents.domain.response_targets import Target
from incidents.models import Integration, Silence
from incidents.queries.targets import response_targets
from oncall.models import EscalationPolicy
from oncall.queries.policies import policies_for

__all__ = ["REVISION", "TABLES", "Configuration", "current", "last_known"]

T = TypeVar("T")
REVISION = "intake"
TABLES = (
    "incidents_integration", "incidents_responsetarget", "incidents_silence",
    "oncall_escalationpolicy", "oncall_holiday", "oncall_holidaycalendar", "oncall_leveltarget", "oncall_policylevel",
    "oncall_servicepolicy", "oncall_timing",
)  # fmt: skip


class Configuration:
    """Integrations, silences, response targets and policies, as they are while a token holds.

    Args:
        token: Of the revision before anything was read.
    """

    def __init__(self, token: str) -> None:
        self.token = token
        self._integrations: dict[str, Integration | None] = {}
        self._policies: dict[int | None, EscalationPolicy | None] = {}
        self._silences: list[Silence] | None = None
        self._targets: dict[str, Target] | None = None
        self._made: dict[Hashable, Any] = {}

    def integration(self, digest: str) -> Integration | None:
        """Return the enabled integration of a key, by the digest of it."""
        if digest in self._integrations:
            return self._integrations[digest]
        rows = Integration.objects.select_related("service").filter(is_enabled=True)
        found = rows.filter(key_digest=digest).first()
        if found is not None:
            # Keys that nobody has would fill the memory.
            self._integrations[digest] = found
        return found

    def still_has(self, integration: Integration) -> bool:
        """Return whether an integration that was read earlier opens to its key as it was then."""
        found = self.integration(integration.key_digest)
        return found is integration or (
            found is not None
            and all(
                getattr(found, field.attname) == getattr(integration, field.attname)
                for field in Integration._meta.concrete_fields
            )
        )

    def known_integration(self, digest: str) -> Integration | None:
        """Return what `integration` returned for a key, without asking the database."""
        return self._integrations.get(digest)

    def policies(
        self, services: Collection[int | None]
    ) -> dict[int | None, EscalationPolicy | None]:
        """Return the policy of each service, by its primary key; of None the default one."""
        if missing := [key for key in services if key not in self._policies]:
            self._policies |= policies_for(missing)
        return {key: self._policies[key] for key in services}

    def silences(self, *, now: datetime) -> list[Silence]:
        """Return the active silences, the one that ends last first."""
        if self._silences is None:
            self._silences = list(Silence.objects.filter(is_ended=False).order_by("-ends_at", "pk"))
        return [each for each in self._silences if each.starts_at <= now < each.ends_at]

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what is made of the configuration, made once while it holds.

        Args:
            key: Of what it depends on beside the configuration.
            make: Makes it.
        """
        if key not in self._made:
            self._made[key] = make()
        made: T = self._made[key]
        return made

    def target(self, severity: str) -> Target:
        """Return what is promised for a severity."""
        if self._targets is None:
            self._targets = response_targets()
        return self._targets[severity]


class _Kept:
    """The newest that this process knows."""

    configuration = Configuration("")


def last_known() -> Configuration:
    """Return what held when this process looked last; what comes of it is to be checked."""
    return _Kept.configuration


def current(token: str | None = None) -> Configuration:
    """Return what holds now.

    Args:
        token: The present one, where it was just asked for.
    """
    if token is None:
        token = revisions.token_of(REVISION)
    kept = _Kept.configuration
    if not token or kept.token != token:
        kept = _Kept.configuration = Configuration(token)
    return kept
