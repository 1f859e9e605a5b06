"""Processes that live long do not look for garbage in what they loaded."""

import subprocess
import sys
from textwrap import dedent

from sreportal.env import BASE_DIR


def test_what_is_loaded_is_out_of_the_collectors_sight() -> None:
    """In a process of its own: this one's collector is the test run's."""
    told = """
        import gc, json
        from core.garbage import keep_what_is_loaded
        circle = []
        circle.append(circle)
        del circle
        seen = len(gc.get_objects())
        keep_what_is_loaded()
        print(gc.get_freeze_count() > seen * 0.9, len(gc.get_objects()) < seen * 0.1)
        print(gc.get_threshold()[0] >= 10_000, gc.isenabled())
    """
    run = [sys.executable, "-c", dedent(told)]
    found = subprocess.run(run, cwd=BASE_DIR, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["True"] * 4
