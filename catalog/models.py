"""Teams, the services they own, and what depends on what."""

from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, RegexValidator, URLValidator
from django.db import models
from django.db.models import Prefetch, Q
from django.urls import reverse

from accounts.roles import Role
from core.models import TimestampedModel

if TYPE_CHECKING:
    from accounts.models import User

SLUG = RegexValidator(
    r"\A[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z",
    "Use 1 to 63 lower-case letters, digits and hyphens; begin and end with a letter or digit.",
)
# A link on a page must not run anything: javascript: and data: are addresses too.
WEB_ADDRESS = URLValidator(["http", "https"], message="Use an address with http or https.")
# These words are pages below /services/.
RESERVED_SLUGS = frozenset({"export", "import", "new", "teams"})


def not_reserved(slug: str) -> None:
    """Refuse slugs whose page would be another page."""
    if slug in RESERVED_SLUGS:
        raise ValidationError(
            "%(slug)s is a page of the portal; choose another.", params={"slug": slug}
        )


class Team(TimestampedModel):
    """People who own services together."""

    slug = models.CharField(max_length=63, unique=True, validators=[SLUG, not_reserved])
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

    @property
    def audit_key(self) -> str:
        """What the audit calls it by: its slug never changes and outlives the row."""
        return self.slug

    def get_absolute_url(self) -> str:
        """Return the team's page."""
        return reverse("catalog:team", args=[self.slug])


class ServiceQuerySet(models.QuerySet["Service"]):
    """Reads of services."""

    def visible_to(self, user: "User") -> Self:
        """Keep what `user` may know of: private services only for their team and for admins."""
        if user.has_role(Role.ADMIN):
            return self
        own = Team.objects.filter(members=user)
        return self.filter(Q(is_private=False) | Q(owner__in=own))

    def with_links(self, user: "User | None" = None) -> Self:
        """Load owners and dependencies both ways; with `user`, only those they may know of."""
        known = Service.objects.all() if user is None else Service.objects.visible_to(user)
        links = Dependency.objects.order_by("target__slug").select_related("target", "service")
        return self.select_related("owner").prefetch_related(
            Prefetch("dependencies", links.filter(target__in=known)),
            Prefetch("dependent_links", links.filter(service__in=known).order_by("service__slug")),
        )

    def search(self, text: str) -> Self:
        """Keep services whose slug, name, description or owner holds every word of `text`."""
        rows = self
        for word in text.split():
            rows = rows.filter(
                Q(slug__icontains=word)
                | Q(name__icontains=word)
                | Q(description__icontains=word)
                | Q(owner__slug__icontains=word)
            )
        return rows


class Service(TimestampedModel):
    """Something a team runs and users notice when it stops."""

    class Tier(models.IntegerChoices):
        CRITICAL = 0, "0: the business stops without it"
        HIGH = 1, "1: users notice at once"
        MEDIUM = 2, "2: users notice in a while"
        LOW = 3, "3: internal or best effort"

    slug = models.CharField(max_length=63, unique=True, validators=[SLUG, not_reserved])
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
    kind = models.CharField(
        max_length=40, blank=True, help_text="What it is, e.g. service, website, database."
    )
    system = models.CharField(
        max_length=63, blank=True, help_text="The larger whole it is part of, e.g. checkout."
    )
    runbook_url = models.CharField(
        "runbook", blank=True, max_length=500, validators=[WEB_ADDRESS], help_text="http or https."
    )
    repository_url = models.CharField(
        "repository",
        blank=True,
        max_length=500,
        validators=[WEB_ADDRESS],
        help_text="http or https.",
    )
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

    @property
    def audit_key(self) -> str:
        """What the audit calls it by: its slug never changes and outlives the row."""
        return self.slug

    def get_absolute_url(self) -> str:
        """Return the service's page."""
        return reverse("catalog:service", args=[self.slug])


def of_known_services(user: "User") -> Q:
    """Return the condition on rows with a `service`: none, or one that `user` may know of."""
    if user.has_role(Role.ADMIN):
        return Q()
    return Q(service=None) | Q(service__in=Service.objects.visible_to(user).values("pk"))


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
