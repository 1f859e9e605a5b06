"""The way to the issuer and back."""

from typing import Any

from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from accounts.access import public
from accounts.oidc import PROVIDER_ID
from accounts.oidc.flow import IssuerAdapter

__all__ = ["callback", "login"]


class _Callback(OAuth2CallbackView):
    def _get_state(self, request: HttpRequest, provider: Any) -> tuple[Any, Any]:
        state, answer = super()._get_state(request, provider)
        self.adapter.nonce = (state or {}).get("nonce", "")
        return state, answer


@never_cache
@require_http_methods(["GET", "POST"])
@public("Whoever signs in is not signed in yet.")
def login(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Ask whether to go on (GET), then lead to the issuer (POST).

    Leading on is a page, not a redirect: browsers hold redirects of a form against the policy's
    `form-action`, which names the portal only, whatever hosts the issuer passes people through.
    """
    answer = _carried(OAuth2LoginView, request, provider_id)
    if answer.status_code != 302:
        return answer
    context = {"redirect_to": answer["Location"], "provider": _provider(request, provider_id)}
    return render(request, "socialaccount/login_redirect.html", context)


@never_cache
@require_GET
@public("The issuer sends people here before they are signed in; state and nonce bind them.")
def callback(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Take what the issuer sent along, and sign in or say why not."""
    return _carried(_Callback, request, provider_id)


def _carried(view: Any, request: HttpRequest, provider_id: str) -> HttpResponse:
    provider = _provider(request, provider_id)
    answer: HttpResponse
    try:
        answer = view.adapter_view(IssuerAdapter(request, provider_id))(request)
    except OAuth2Error as error:
        # django-allauth reads the issuer's description where it expects no failure.
        answer = render_authentication_error(request, provider, exception=error)
    return answer


def _provider(request: HttpRequest, provider_id: str) -> Any:
    if provider_id != PROVIDER_ID:
        raise Http404
    try:
        return IssuerAdapter(request, provider_id).get_provider()
    except SocialApp.DoesNotExist as error:
        raise Http404 from error
