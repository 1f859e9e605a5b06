"""How sign-in behaves."""

from allauth.account.adapter import DefaultAccountAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter


class AccountAdapter(DefaultAccountAdapter):
    """Nobody signs up by themselves: an admin makes accounts."""

    def is_open_for_signup(self, request):  # type: ignore[no-untyped-def]
        return False


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """The issuer decides who signs in."""
