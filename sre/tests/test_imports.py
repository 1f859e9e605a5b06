"""The package stands on its own."""

import subprocess
import sys
from pathlib import Path

MODULES = "sre.slo_sli, sre.circuit_breaker, sre.http, sre.reporting, sre.burn_rate, sre.capacity_planning"
FRAMEWORKS = ["django", "flask", "celery", "rest_framework", "boto3", "numpy"]


def test_the_documented_modules_import_without_any_framework() -> None:
    """A fresh interpreter without settings imports them, and nothing foreign with them."""
    program = f"import sys, {MODULES}; print([m for m in {FRAMEWORKS} if m in sys.modules])"
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=Path(__file__).parents[2],
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.stdout.strip(), ran.stderr, ran.returncode) == ("[]", "", 0)
