"""What belongs to no app."""

from django.test import Client


def test_icon_is_found_where_browsers_look_for_it(client: Client) -> None:
    """Error pages and the API's JSON name no icon; browsers then ask for /favicon.ico."""
    response = client.get("/favicon.ico")
    assert response.status_code == 302
    assert response["Location"] == "/static/img/favicon.svg"
