"""Every test run has a data folder of its own, thrown away at the end."""

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("SREPORTAL_DATA", tempfile.mkdtemp(prefix="sreportal-test-"))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sreportal.settings")


@pytest.fixture(autouse=True)
def _static_files_as_they_are(settings: Any) -> None:
    """Pages link static files without content hashes, so no `collectstatic` is needed."""
    # WhiteNoise warns of a missing folder, and here warnings are errors.
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
