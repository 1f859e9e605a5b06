"""The portal's addresses."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from sreportal.views import favicon, remove_demo

urlpatterns = [
    path("", include("dashboard.urls")),
    path("", include("users_api.urls")),
    path("", include("telemetry.urls")),
    path("", include("accounts.urls")),
    path("status/", include("statuspage.urls")),
    path("incidents/", include("statuspage.incident_urls")),
    path("services/", include("catalog.urls")),
    path("slo/", include("slo.urls")),
    path("", include("incidents.incident_urls")),
    path("", include("incidents.followup_urls")),
    path("contact/", include("notifications.urls")),
    path("oncall/", include("oncall.urls")),
    path("alerts/", include("incidents.urls")),
    path("integrations/", include("incidents.integration_urls")),
    path("", include("incidents.intake_urls")),
    path("capacity/", include("capacity.urls")),
    path("chaos/", include("chaos.urls")),
    path("accounts/", include("allauth.urls")),
    path("favicon.ico", favicon, name="favicon"),
    path("demo/remove", remove_demo, name="demo-remove"),
    path("admin/", admin.site.urls),
    path("api/v1/", include("sreportal.api_urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="api-docs"),
]

handler400 = "core.handlers.bad_request"
handler404 = "core.handlers.not_found"
handler500 = "core.handlers.server_error"
