"""What the caller of the API may do."""

from typing import TYPE_CHECKING

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from accounts.authentication import require_scope
from accounts.models import ApiToken, User
from accounts.roles import Role
from accounts.scopes import Scope
from core.errors import Forbidden

if TYPE_CHECKING:
    # The framework loads its permissions while it loads its views.
    from rest_framework.views import APIView


class RoleAndScope(BasePermission):
    """Deny by default; the view's class attributes say whom to let in.

    - `read_role` (default viewer): the least role for GET, HEAD and OPTIONS.
    - `write_role` (default responder): the least role for everything else.
    - `write_scope` (default "write"): the scope a token needs for everything else; reading always
      needs "read".

    An action may differ: `@action(…, write_role=Role.MANAGER)` on a view that has the attribute.
    """

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Return False for the unknown (401); refuse the known by saying what they lack (403)."""
        user = request.user
        if not isinstance(user, User):
            return False
        reads = request.method in SAFE_METHODS
        if isinstance(request.auth, ApiToken):
            require_scope(request.auth, Scope.READ if reads else _write_scope(view))
        role = required_role(view, reads=reads)
        if not user.has_role(role):
            raise Forbidden(f"This needs the role {role.label.lower()} or more.")
        return True


def may_write(request: Request, view: "APIView") -> bool:
    """Return whether the caller may change what a view shows: keys are shown to nobody else."""
    user, token = request.user, request.auth
    if isinstance(token, ApiToken) and not token.has_scope(_write_scope(view)):
        return False
    return isinstance(user, User) and user.has_role(required_role(view, reads=False))


def required_role(view: "APIView | type[APIView]", *, reads: bool) -> Role:
    """Return the least role that a view lets in, for reading or for changing."""
    name, default = ("read_role", Role.VIEWER) if reads else ("write_role", Role.RESPONDER)
    return Role(getattr(view, name, default))


def _write_scope(view: "APIView") -> Scope:
    return Scope(getattr(view, "write_scope", Scope.WRITE))
