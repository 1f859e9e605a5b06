"""A web process keeps to a core where there are at least as many of them as cores (ADR 0028).

Its threads take turns at Python. Spread over cores they wake each other on one that sleeps, or wait on
a busy one while another sleeps, and so does the database that works for them.
"""

import os
from collections import Counter
from collections.abc import Iterable, Sequence

from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker

__all__ = ["choose", "core_for", "keep"]


def core_for(others: Iterable[int | None], *, processes: int, cores: Sequence[int]) -> int | None:
    """Return the core that one more process keeps to, None where it keeps to none.

    Args:
        others: To which ones those keep that there are.
        processes: So many there are to be.
        cores: Those on which they may run.
    """
    if not cores or processes < len(cores):
        return None
    held = Counter(others)
    return min(cores, key=lambda core: held[core])


def choose(server: Arbiter, worker: Worker) -> None:
    """Gunicorn's hook before a process is forked: say to which core it will keep."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    others = (getattr(other, "core", None) for other in server.WORKERS.values())
    worker.core = core_for(others, processes=server.num_workers, cores=cores)


def keep(worker: Worker) -> None:
    """Keep this process, and each thread that it starts, to the core that was chosen for it."""
    if worker.core is not None:
        os.sched_setaffinity(0, {worker.core})
