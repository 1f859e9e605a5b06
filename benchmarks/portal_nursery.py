"""Forks the portal's processes on command from one that has loaded everything, as `up` does.

Standard input: `start NAME` (web, pager, worker, beat); standard output: the process id. A killed
process is replaced within milliseconds, so that a drill may kill hundreds. A mutant, where one is
named, is applied to every process after it was forked.
"""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def main() -> None:
    """Load, say so, and fork until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--audit-every", type=float, default=10.0)
    parser.add_argument("--mutant", default="")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sreportal.settings")
    import django
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connections

    django.setup()
    from benchmarks import paging_mutants
    from sreportal.supervisor import programs
    from sreportal.supervisor.claims import listen

    listener = listen(settings.BIND, settings.PORT)
    (Path(settings.DATA_DIR) / "run").mkdir(exist_ok=True)
    programs.load_shared_code()
    connections.close_all()
    runs: dict[str, Callable[[], object]] = {
        "web": programs.web(listener).run,
        "worker": programs.worker().run,
        "beat": programs.beat().run,
        "pager": lambda: call_command(
            "pager", "--resume", "--audit-every", str(options.audit_every)
        ),
    }
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print("ready", flush=True)
    for line in sys.stdin:
        name = line.split()[1]
        pid = os.fork()
        if pid:
            print(pid, flush=True)
            continue
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        log = os.open(options.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        paging_mutants.apply(options.mutant)
        try:
            runs[name]()
        finally:
            os._exit(0)


if __name__ == "__main__":
    main()
