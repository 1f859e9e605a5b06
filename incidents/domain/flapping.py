"""When a condition that comes and goes is flapping, and what follows."""

from datetime import timedelta

__all__ = ["HOLD", "OPENINGS", "WINDOW"]

# So many openings within so long, and its incident resolves only after it was quiet for the hold.
OPENINGS = 3
WINDOW = timedelta(minutes=30)
HOLD = timedelta(minutes=15)
