"""Addresses of the SLO pages."""

from django.urls import path

from slo import import_views, report_views, rule_views, source_views, views

app_name = "slo"
urlpatterns = [
    path("", views.slo_list, name="list"),
    path("import/", import_views.import_page, name="import"),
    path("reports/", report_views.report, name="reports"),
    path("rules/", rule_views.rule_list, name="rules"),
    path("sources/", source_views.source_list, name="sources"),
    path("panels/service/<slug:slug>/", views.service_panel, name="service-panel"),
    path("<slug:slug>/", views.slo_detail, name="slo"),
]
