"""`/api/v1/`: every app's resources on one router."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

import accounts.api
import capacity.api
import catalog.api
import incidents.api
import oncall.api
import slo.api

router = SimpleRouter()
accounts.api.register(router)
capacity.api.register(router)
catalog.api.register(router)
incidents.api.register(router)
oncall.api.register(router)
slo.api.register(router)

urlpatterns = [
    path("", include(router.urls)),
    *slo.api.addresses(),
]
