"""The Celery application; tasks live in each app's `tasks.py`."""

import os

from celery import Celery, signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sreportal.settings")

app = Celery("sreportal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.setup_logging.connect  # type: ignore[untyped-decorator]
def keep_the_portals_log(**_: object) -> None:
    """Leave logging as the settings configure it: Celery stands back when this signal is heard."""
