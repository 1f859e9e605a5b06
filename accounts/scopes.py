"""What a token may be used for, and what its owner must be allowed for that."""

from django.db import models

from accounts.roles import Role


class Scope(models.TextChoices):
    """A use of the API that a token is made for."""

    READ = "read", "Read everything its owner sees"
    WRITE = "write", "Change what its owner may change"
    INGEST = "ingest", "Send measurements"
    CHAOS = "chaos", "Run chaos experiments"

    @property
    def least_role(self) -> Role:
        """The least role whose tokens can carry this scope: a token never exceeds its owner."""
        return Role.VIEWER if self is Scope.READ else Role.RESPONDER


def allowed_scopes(role: Role) -> list[Scope]:
    """Return the scopes that tokens of a person with this role can carry."""
    return [scope for scope in Scope if role.includes(scope.least_role)]
