"""Entry point of the web processes."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from core.wsgi import WholeBodies, WholePosts

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sreportal.settings")

# Where programs post by the thousand.
PROGRAMS = (
    *("/v2/", "/integrations/v1/", "/generic/2010-04-15/"),
    *("/api/v1/telemetry/", "/v1/metrics"),
)

handler = get_wsgi_application()
application = WholeBodies(
    handler,
    limit=settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0,
    posts=WholePosts(handler, starts=PROGRAMS),
)
