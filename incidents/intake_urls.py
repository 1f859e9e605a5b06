"""Addresses of the intake; senders may leave out or add the slash at the end."""

from collections.abc import Callable

from django.http import HttpResponseBase
from django.urls import URLPattern, include, path, re_path

from incidents.webhooks import (
    heartbeats,
    opsgenie,
    opsgenie_heartbeats,
    pagerduty,
    senders,
    slack,
    twilio,
)


def _with_or_without_slash(
    route: str, view: Callable[..., HttpResponseBase], name: str
) -> list[URLPattern]:
    return [path(route, view, name=name), path(f"{route}/", view, name=f"{name}-slash")]


app_name = "intake"
_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
# Names that others give have any characters, line feeds and slashes too.
_NAME = r"[\s\S]+"
# Where clients of PagerDuty and Opsgenie put their paths.
_OF_CLIENTS = [
    re_path(r"^v2/enqueue/?$", pagerduty.enqueue, name="pagerduty"),
    re_path(r"^v2/change/enqueue/?$", pagerduty.change, name="pagerduty-change"),
    re_path(
        r"^generic/2010-04-15/create_event\.json/?$",
        pagerduty.create_event,
        name="pagerduty-v1",
    ),
    re_path(r"^v2/alerts/?$", opsgenie.alerts, name="opsgenie"),
    re_path(
        rf"^v2/alerts/requests/(?P<request_id>{_UUID})/?$",
        opsgenie.request_status,
        name="opsgenie-request",
    ),
    re_path(r"^v2/alerts/count/?$", opsgenie.count, name="opsgenie-count"),
    re_path(
        rf"^v2/alerts/(?P<identifier>{_NAME})/(?P<part>attachments)(?:/[^/]+)?/?$",
        opsgenie.missing,
        name="opsgenie-attachments",
    ),
    re_path(
        r"^v2/alerts/(?P<part>saved-searches)(?:/[^/]+)?/?$",
        opsgenie.missing,
        name="opsgenie-saved-searches",
    ),
    re_path(
        rf"^v2/alerts/(?P<identifier>{_NAME})/(?P<action>actions)/(?P<button>[^/]+)/?$",
        opsgenie.part,
        name="opsgenie-button",
    ),
    re_path(
        rf"^v2/alerts/(?P<identifier>{_NAME})/(?P<action>close|acknowledge|unacknowledge|snooze|escalate"
        r"|assign|notes|tags|details|responders|teams|message|description|priority|logs|recipients)/?$",
        opsgenie.part,
        name="opsgenie-action",
    ),
    re_path(
        rf"^v2/heartbeats/(?P<name>{_NAME})/ping/?$",
        heartbeats.ping_opsgenie,
        name="opsgenie-heartbeat",
    ),
    re_path(
        rf"^v2/heartbeats/(?P<name>{_NAME})/(?P<way>enable|disable)/?$",
        opsgenie_heartbeats.switch,
        name="opsgenie-heartbeat-switch",
    ),
    re_path(r"^v2/heartbeats/?$", opsgenie_heartbeats.heartbeats, name="opsgenie-heartbeats"),
    re_path(
        rf"^v2/heartbeats/(?P<name>{_NAME}?)/?$",
        opsgenie_heartbeats.heartbeat,
        name="opsgenie-heartbeat-one",
    ),
    re_path(rf"^v2/alerts/(?P<identifier>{_NAME}?)/?$", opsgenie.alert, name="opsgenie-alert"),
]
urlpatterns = [
    re_path(r"^integrations/v1/slack/actions/?$", slack.act, name="slack-actions"),
    re_path(
        r"^integrations/v1/twilio/status/(?P<incident>[0-9]{1,18})/(?P<key>[0-9a-f]{64})"
        r"/(?P<attempt>[0-9]{1,5})/?$",
        twilio.status,
        name="twilio-status",
    ),
    re_path(
        r"^integrations/v1/twilio/answer/(?P<token>[0-9A-Za-z_:.-]{1,300})/?$",
        twilio.answer,
        name="twilio-answer",
    ),
    re_path(
        r"^integrations/v1/(?P<kind>[a-z_0-9]{1,30})/(?P<key>[0-9A-Za-z-]{1,64})/heartbeat/?$",
        senders.heartbeat,
        name="sender-heartbeat",
    ),
    re_path(
        r"^integrations/v1/(?P<kind>[a-z_0-9]{1,30})/(?P<key>[0-9A-Za-z-]{1,64})/?$",
        senders.receive,
        name="webhook",
    ),
    re_path(
        r"^integrations/v1/(?P<kind>[a-z_0-9]{1,30})/?$",
        senders.receive_authorized,
        name="webhook-authorized",
    ),
    # Clients that put their path after an address that ends with a slash ask for `//v2/…`.
    re_path(r"^(?:/)?", include(_OF_CLIENTS)),
    *_with_or_without_slash("ping/<uuid:code>", heartbeats.ping, "ping"),
    *_with_or_without_slash("ping/<uuid:code>/<slug:word>", heartbeats.ping, "ping-word"),
    *_with_or_without_slash("ping/<slug:key>/<slug:slug>", heartbeats.ping_slug, "ping-slug"),
    *_with_or_without_slash(
        "ping/<slug:key>/<slug:slug>/<slug:word>", heartbeats.ping_slug, "ping-slug-word"
    ),
]
