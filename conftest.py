"""Every test run has a data folder of its own, thrown away at the end."""

import os
import tempfile

os.environ.setdefault("SREPORTAL_DATA", tempfile.mkdtemp(prefix="sreportal-test-"))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sreportal.settings")
