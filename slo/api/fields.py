"""What serializers of this app share."""

from catalog.visible_services import VisibleServiceMixin
from slo.models import Slo


class VisibleOnlyMixin(VisibleServiceMixin):
    """A service or SLO that the caller may not know of does not exist for them."""

    def validate_slo(self, slo: Slo | None) -> Slo | None:
        """Refuse an SLO as if there were none."""
        return slo and self._seen(slo, slo.slug, Slo.objects.visible_to(self._caller))
