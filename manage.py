#!/usr/bin/env python
"""Run the portal's commands: `python manage.py help` lists them."""

import gc
import os
import sys

# Loading and migrating make many objects and little garbage: at Python's own threshold of 700 a
# sixth of a start goes into looking for it.
gc.set_threshold(10_000, 10, 10)

try:
    from sreportal.commands import Commands
    from sreportal.setting_rules import InvalidSetting
except ModuleNotFoundError as missing:
    sys.exit(
        f"This Python lacks {missing.name}: run 'make run', which installs it, or "
        ".venv/bin/python manage.py."
    )

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sreportal.settings")
    try:
        Commands(sys.argv).execute()
    except InvalidSetting as error:
        sys.exit(f"{error} docs/configuration.md explains every setting.")
