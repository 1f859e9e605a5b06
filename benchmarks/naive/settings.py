"""The portal's settings with the peer beside it."""

from sreportal.settings import *  # noqa: F403
from sreportal.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "benchmarks.naive"]
ROOT_URLCONF = "benchmarks.naive.urls"
