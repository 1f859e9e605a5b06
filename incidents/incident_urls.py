"""Addresses of incidents; `/i/<number>` is short enough to be read out on the telephone."""

from django.urls import path

from incidents import (
    analytics_views,
    list_views,
    page_list_views,
    receipt_views,
    role_views,
    simulation_views,
    update_views,
)
from incidents import incident_views as views

app_name = "incident"
urlpatterns = [
    path("incidents/", list_views.incident_list, name="list"),
    path("incidents/analytics/", analytics_views.analytics, name="analytics"),
    path("incidents/analytics/pages/", page_list_views.page_list, name="pages"),
    path("incidents/panels/service/<slug:slug>/", list_views.service_panel, name="service-panel"),
    path("incidents/new/", views.declare, name="new"),
    path("incidents/simulate/", simulation_views.simulate_page, name="simulate"),
    path("i/<int:pk>", views.incident_detail, name="detail"),
    path("i/<int:pk>/", views.incident_with_slash, name="detail-slash"),
    path("i/<int:pk>/receipt/", receipt_views.incident_receipt, name="receipt"),
    path("i/<int:pk>/roles/offer/", role_views.offer, name="role-offer"),
    path("i/<int:pk>/roles/<slug:deed>/", role_views.act, name="role"),
    path("i/<int:pk>/updates/internal/", update_views.write_internal, name="update-internal"),
    path("i/<int:pk>/updates/public/", update_views.write_public, name="update-public"),
    path("i/<int:pk>/<slug:action>/", views.act, name="act"),
    path("i/<int:pk>/ack/<str:token>/", views.acknowledge_by_link, name="ack"),
]
