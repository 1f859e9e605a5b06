"""Whatever stands in the query of an address, alerts and signs of life count."""

import pytest
from django.test import Client

from incidents.models import Alert, Heartbeat, InboundEvent
from incidents.tests.senders import integration_of

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def test_a_ping_counts() -> None:
    _integration, key = integration_of("healthchecks")
    assert Client().get(f"/ping/{key}/nightly?create=1&x=%00").status_code == 201
    assert Client().get(f"/ping/{key}/nightly?x=%00&%00").status_code == 200
    assert (Heartbeat.objects.get().state, InboundEvent.objects.count()) == ("up", 2)
    assert Client().get(f"/ping/{key}/nightly?rid=%00").status_code == 400


def test_an_alert_in_a_query_string_counts() -> None:
    _integration, key = integration_of("uptimekuma")
    answer = Client().get(f"/integrations/v1/uptimekuma/{key}/?msg=down%00up")
    assert answer.status_code == 200
    assert Alert.objects.get().title == "down\N{REPLACEMENT CHARACTER}up"


def test_a_search_is_answered_in_opsgenies_words() -> None:
    _integration, key = integration_of("opsgenie")
    sender = Client(headers={"Authorization": f"GenieKey {key}"})
    for path in ("/v2/alerts", "/v2/alerts/count"):
        answer = sender.get(f"{path}?query=%00&sort=%00")
        assert answer.status_code in {200, 422}
        assert "requestId" in answer.json()
    assert Client().get("/v2/alerts?apiKey=%00").status_code in {401, 403, 422}
    assert sender.get("/v2/alerts/a?identifierType=%00").status_code in {400, 404, 422}


def test_pages_for_people_still_refuse_it() -> None:
    assert Client().get("/accounts/login/?next=%00").status_code == 400
