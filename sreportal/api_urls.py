"""`/api/v1/`: every app's resources on one router."""

from typing import Any

from django.urls import include, path
from rest_framework.routers import SimpleRouter

import accounts.api
import capacity.api
import catalog.api
import incidents.api
import notifications.api
import oncall.api
import slo.api
import statuspage.api

# As databases count rows; int() takes 1_0 for 10, +1 and digits of any script besides.
NUMBER = "[1-9][0-9]{0,17}"


class NumberingRouter(SimpleRouter):
    """Gives each row that is known by its number one address."""

    def get_lookup_regex(self, viewset: Any, lookup_prefix: str = "") -> str:
        """Return what addresses of a resource's rows match."""
        regex: str = super().get_lookup_regex(viewset, lookup_prefix)
        is_numbered = getattr(viewset, "lookup_field", "pk") == "pk"
        return f"(?P<{lookup_prefix}pk>{NUMBER})" if is_numbered else regex


router = NumberingRouter()
accounts.api.register(router)
capacity.api.register(router)
catalog.api.register(router)
incidents.api.register(router)
notifications.api.register(router)
oncall.api.register(router)
slo.api.register(router)
statuspage.api.register(router)

urlpatterns = [
    path("", include(router.urls)),
    *incidents.api.addresses(),
    *slo.api.addresses(),
]
