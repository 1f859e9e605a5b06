"""Addresses of what follows from incidents; a postmortem has its incident's number."""

from django.urls import path

from incidents import action_item_views, postmortem_views

app_name = "followup"
urlpatterns = [
    path("action-items/", action_item_views.item_list, name="items"),
    path("action-items/new/<int:pk>/", action_item_views.item_new, name="item-new"),
    path("action-items/<int:pk>/", action_item_views.item_page, name="item"),
    path("action-items/<int:pk>/<slug:deed>/", action_item_views.item_act, name="item-act"),
    path("postmortems/", postmortem_views.postmortem_list, name="postmortems"),
    path("postmortems/<int:pk>/", postmortem_views.postmortem_page, name="postmortem"),
    path("postmortems/<int:pk>/edit/", postmortem_views.postmortem_edit, name="postmortem-edit"),
    path(
        "postmortems/<int:pk>/postmortem.md",
        postmortem_views.postmortem_markdown,
        name="postmortem-markdown",
    ),
    path(
        "postmortems/<int:pk>/<slug:deed>/", postmortem_views.postmortem_act, name="postmortem-act"
    ),
]
