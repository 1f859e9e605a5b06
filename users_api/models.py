"""Persons: the data that the reference service serves."""

from typing import Self

from django.db import models
from django.db.models.functions import Lower

from core.models import TimestampedModel

NAME_MAX = 120
EMAIL_MAX = 254


class PersonQuerySet(models.QuerySet["Person"]):
    """Reads of persons."""

    def search(self, text: str) -> Self:
        """Return those whose name or email contains `text`, whatever its case."""
        if not text:
            return self
        return self.filter(models.Q(name__icontains=text) | models.Q(email__icontains=text))


class Person(TimestampedModel):
    """Somebody the Users API knows; nobody who signs in to the portal."""

    name = models.CharField(max_length=NAME_MAX)
    email = models.EmailField(
        max_length=EMAIL_MAX, help_text="Unique whatever its case; kept as it was written."
    )

    objects = PersonQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "persons"
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="users_api_person_email_once",
                violation_error_message="Another person has this email.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"
