"""Connects what may not know each other: defaults to bootstrap, reporters to web processes."""

from functools import partial

from django.core.checks import Tags, register

from core import bootstrap, demo, process
from incidents.services.receiving import take_on_one_connection
from oncall.services.defaults import create_default_policy
from slo.services.defaults import ensure_defaults
from sreportal import checks, reporting
from users_api import demo_faults
from users_api.services.people import delete_persons_of_domain


def connect() -> None:
    """Register the hooks; nothing runs yet. Needs models, so it is called from `ready()`."""
    register(checks.check_exposure, Tags.security)
    register(checks.check_storage, Tags.database)
    register(checks.check_deployment, Tags.security, deploy=True)
    bootstrap.register(ensure_defaults)
    bootstrap.register(create_default_policy)
    process.on_web_start(reporting.start)
    process.on_web_start(take_on_one_connection)
    demo_faults.is_enabled = demo.is_on
    demo.on_removal(partial(delete_persons_of_domain, demo.EMAIL_DOMAIN))
