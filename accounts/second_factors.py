"""What of second factors is encrypted at rest."""

from typing import Any

from core.sealed import Change, SealedColumn, register


def replaced(data: dict[str, Any], change: Change) -> dict[str, Any]:
    """Pass what django-allauth encrypts through `change`: keys of apps and recovery codes.

    A security key's data is public and holds nothing encrypted.
    """
    fresh = {
        name: change(value) if name in {"secret", "seed"} else value for name, value in data.items()
    }
    if "migrated_codes" in data:
        fresh["migrated_codes"] = [change(code) for code in data["migrated_codes"]]
    return fresh


def register_columns() -> None:
    """Have the data of second factors rotated; called once, when the app is ready."""
    register(SealedColumn("mfa.Authenticator", "data", replaced))
