"""What is written to the log tells no secret."""

import pytest

from core.logs import mask_secrets

KEY = "045f9747f9c832db7f3cb3de90710648"
ADDRESSES = {
    f"/integrations/v1/grafana/{KEY}/": "/integrations/v1/grafana/[masked]/",
    f"/integrations/v1/twilio/answer/{KEY}:x-1": "/integrations/v1/twilio/answer/[masked]",
    f"/integrations/v1/twilio/status/7/{KEY * 2}/1": "/integrations/v1/twilio/status/7/[masked]/1",
    "/ping/045f9747-f9c8-32db-7f3c-b3de90710648/fail": "/ping/[masked]/fail",
    f"/ping/{KEY}/nightly-backup": "/ping/[masked]/nightly-backup",
    f"/on-call/calendar/{KEY}.ics": "/on-call/calendar/[masked].ics",
    f"/i/7/ack/{KEY}/": "/i/7/ack/[masked]/",
    f"/v2/alerts?limit=1&apiKey={KEY}&x=1": "/v2/alerts?limit=1&apiKey=[masked]&x=1",
    f"/accounts/password/reset/key/2-d1x8ab-{KEY}/": "/accounts/password/reset/key/[masked]/",
    **{
        open_to_all: open_to_all
        for open_to_all in (
            "https://shop.example.org/ping/health",
            "https://wiki.example.org/calendar/maintenance-windows-2026",
            "https://wiki.example.org/runbooks/ack/who-may-acknowledge-what",
        )
    },
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_the_key_in_an_address_is_masked(address: str) -> None:
    """Django names the address of what it answers with 503, which may be the key of a sender."""
    said = mask_secrets(None, "error", {"event": f"Service Unavailable: {address} (again)"})
    assert said["event"] == f"Service Unavailable: {ADDRESSES[address]} (again)"
