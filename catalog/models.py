"""Teams, the services they own, and what depends on what."""

from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse

from accounts.roles import Role
from core.models import TimestampedModel

if TYPE_CHECKING:
    from accounts.models import User

SLUG = RegexValidator(
    r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
    "Use 1 to 63 lower-case letters, digits and hyphens; begin and end with a letter or digit.",
)


class Team(TimestampedModel):
    """People who own services together."""

    slug = models.CharField(max_length=63, unique=True, validators=[SLUG])
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    contact = models.CharField(
        max_length=200, blank=True, help_text="Where the team is reached, e.g. #payments."
    )
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True, related_name="teams")

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name


class ServiceQuerySet(models.QuerySet["Service"]):
    """Reads of services."""

    def visible_to(self, user: "User") -> Self:
        """Keep what `user` may know of: private services only for their team and for admins."""
        if user.has_role(Role.ADMIN):
            return self
        return self.filter(Q(is_private=False) | Q(owner__members=user)).distinct()


class Service(TimestampedModel):
    """Something a team runs and users notice when it stops."""

    class Tier(models.IntegerChoices):
        CRITICAL = 0, "0: the business stops without it"
        HIGH = 1, "1: users notice at once"
        MEDIUM = 2, "2: users notice in a while"
        LOW = 3, "3: internal or best effort"

    slug = models.CharField(max_length=63, unique=True, validators=[SLUG])
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    tier = models.PositiveSmallIntegerField(
        choices=Tier.choices, default=Tier.MEDIUM, validators=[MaxValueValidator(3)]
    )
    owner = models.ForeignKey(
        Team, null=True, blank=True, on_delete=models.SET_NULL, related_name="services"
    )
    is_private = models.BooleanField(
        default=False, help_text="Only the owning team and admins see a private service."
    )
    lifecycle = models.CharField(max_length=40, blank=True, help_text="e.g. production.")
    runbook_url = models.URLField(blank=True, max_length=500)
    repository_url = models.URLField(blank=True, max_length=500)
    depends_on = models.ManyToManyField(
        "self", through="Dependency", symmetrical=False, blank=True, related_name="dependents"
    )

    aws_region = models.CharField(max_length=32, blank=True)
    ecs_cluster = models.CharField(max_length=255, blank=True)
    ecs_service = models.CharField(max_length=255, blank=True)
    rds_instance = models.CharField(max_length=63, blank=True)
    load_balancer = models.CharField(
        max_length=255, blank=True, help_text="As in its ARN, e.g. app/users/50dc6c495c0c9188."
    )

    objects = ServiceQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.CheckConstraint(name="catalog_service_tier_0_to_3", condition=Q(tier__lte=3))
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return the service's page."""
        return reverse("catalog:service", args=[self.slug])


class Dependency(models.Model):
    """`service` needs `target` to work."""

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="dependencies")
    target = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="dependent_links")
    is_hard = models.BooleanField(
        default=True, help_text="Hard: the service is down when the target is."
    )

    class Meta:
        verbose_name_plural = "dependencies"
        constraints = [
            models.UniqueConstraint(fields=["service", "target"], name="catalog_dependency_once"),
            models.CheckConstraint(
                name="catalog_dependency_not_self", condition=~Q(service=models.F("target"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.service_id} → {self.target_id}"
