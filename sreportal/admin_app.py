"""Django's admin, with the portal's own site."""

from django.contrib.admin.apps import AdminConfig


class PortalAdminConfig(AdminConfig):
    """Has `admin.site` be the portal's."""

    default_site = "sreportal.admin_site.PortalAdminSite"
