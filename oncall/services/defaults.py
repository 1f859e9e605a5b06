"""The policy that a fresh portal begins with: its first admin is called."""

from datetime import datetime

from accounts.models import User
from accounts.roles import Role
from oncall.models import EscalationPolicy
from oncall.services.policies import save_policy

__all__ = ["create_default_policy"]


def create_default_policy(*, now: datetime) -> None:
    """Have the first admin called for every service, where there is no policy at all.

    Whoever adds people and levels edits it; without it every incident would go to the fallback.
    """
    if EscalationPolicy.objects.exists():
        return
    admin = User.objects.filter(role=Role.ADMIN, is_active=True).order_by("pk").first()
    if admin is None:
        return
    save_policy(
        EscalationPolicy(),
        fields={"slug": "default", "name": "Default", "is_default": True},
        levels=[{"number": 1, "name": "First admin", "targets": [{"person": admin}]}],
        timings=None,
        services=None,
        actor=None,
        now=now,
    )
