"""Entry point of the web processes."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from core.wsgi import WholeBodies

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sreportal.settings")

application = WholeBodies(get_wsgi_application(), limit=settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0)
