"""Rules of one person, added by two at once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from accounts.tests.cast import person
from core.errors import Conflict
from core.tests.crossing import beside, until_somebody_waits
from notifications.models import ContactMethod, NotificationRule
from notifications.services.rules import MOST_RULES, add_rule
from notifications.services.trials import hold_owner

pytestmark = pytest.mark.django_db(transaction=True)
WHO: dict[str, Any] = {"actor": "test", "now": datetime(2026, 3, 2, 10, tzinfo=UTC)}


def test_no_more_are_added_at_once_than_one_after_the_other() -> None:
    """Who counts them before the last of them has come counts too few."""
    owner = person("alice")
    method = ContactMethod.objects.create(person=owner, kind="email", label="work")
    NotificationRule.objects.bulk_create(
        NotificationRule(person=owner, method=method, urgency="high", delay=timedelta(minutes=n))
        for n in range(MOST_RULES - 1)
    )
    with transaction.atomic():
        hold_owner(owner, None)
        doing, failed = beside(
            lambda: add_rule(owner, urgency="low", method=method, delay=timedelta(), **WHO)
        )
        until_somebody_waits(doing)
        add_rule(owner, urgency="low", method=method, delay=timedelta(minutes=1), **WHO)
    doing.join(30)
    assert [type(error) for error in failed] == [Conflict]
    assert NotificationRule.objects.count() == MOST_RULES
