"""`manage.py token create|list|revoke`: API tokens for scripts."""

import argparse
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import ApiToken, User
from accounts.scopes import Scope
from accounts.services.tokens import create_token, revoke_token
from core import clock
from core.errors import DomainError, InvalidInput

ACTOR = "manage.py token"


def positive_days(text: str) -> int:
    """Read a number of days from 1 to 36500."""
    if not (text.isdecimal() and 1 <= int(text) <= 36_500):
        raise argparse.ArgumentTypeError("a number of days from 1 to 36500 is wanted")
    return int(text)


class Command(BaseCommand):
    """Exits 0 when done, 1 when refused, 2 on bad usage."""

    help = "Make, list and revoke API tokens."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the three verbs."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="Print a new token, alone on one line.")
        create.add_argument("--user", required=True, metavar="NAME", help="Its owner.")
        create.add_argument(
            "--scopes", required=True, help=f"Comma-separated, of {', '.join(Scope.values)}."
        )
        create.add_argument("--name", default="command line", help="What will use it.")
        create.add_argument("--expires", type=positive_days, metavar="DAYS")
        listing = verbs.add_parser("list", help="Print tokens, one a line, tab-separated.")
        listing.add_argument("--user", metavar="NAME", help="Only this owner's.")
        revoke = verbs.add_parser("revoke", help="Make a token useless.")
        revoke.add_argument("prefix", help="Its beginning as listed, e.g. srp_0a1b2c3d4e.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the verb; refusals go to standard error."""
        verbs = {"create": self._create, "list": self._list, "revoke": self._revoke}
        try:
            verbs[options["verb"]](options)
        except InvalidInput as error:
            raise CommandError(error.message, returncode=2) from error
        except DomainError as error:
            raise CommandError(error.message, returncode=1) from error

    def _create(self, options: dict[str, Any]) -> None:
        now = clock.now()
        days = options["expires"]
        _token, secret = create_token(
            user=_owner(options["user"]),
            name=options["name"],
            scopes=[scope.strip() for scope in options["scopes"].split(",") if scope.strip()],
            now=now,
            expires_at=now + timedelta(days=days) if days else None,
            actor=ACTOR,
        )
        self.stdout.write(secret)

    def _list(self, options: dict[str, Any]) -> None:
        now = clock.now()
        tokens = ApiToken.objects.select_related("user")
        if options["user"]:
            tokens = tokens.filter(user=_owner(options["user"]))
        for token in tokens:
            state = "usable" if token.is_usable(now) else "revoked or expired"
            cells = (token.masked, token.user.username, ",".join(token.scopes), state, token.name)
            self.stdout.write("\t".join(cells))

    def _revoke(self, options: dict[str, Any]) -> None:
        lookup = options["prefix"].removeprefix("srp_").rstrip("_…")
        token = ApiToken.objects.select_related("user").filter(lookup=lookup).first()
        if token is None:
            raise CommandError("No token begins like that.", returncode=2)
        revoke_token(token, now=clock.now(), actor=ACTOR)
        self.stderr.write(f"{token} is revoked.")


def _owner(username: str) -> User:
    user = User.objects.filter(username=username).first()
    if user is None:
        raise CommandError(f"There is no user named {username}.", returncode=2)
    return user
