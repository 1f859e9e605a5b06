"""The process that is a fault: it lasts as long as its time to live, and not a moment longer.

    python -m chaos.fault_process --fault=MARK --ttl=5 {cpu | memory | proxy} ARGUMENT…

Its first act is to ask the kernel for SIGALRM at the end of its time, which nothing here handles:
a process that hangs, spins or is forgotten ends all the same.
"""

import argparse
import asyncio
import os
import signal
import time
from pathlib import Path

from chaos.fault_proxy import FaultProxy, Toxics

__all__ = ["main"]

PAGE = 4096
MEGABYTE = 1024 * 1024
STEPS = 20


def main() -> None:
    """Be the fault that the command line asks for."""
    given = _arguments()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, given.ttl)
    if given.kind == "cpu":
        burn()
    elif given.kind == "memory":
        fill(given.megabytes, over_s=given.over)
    else:
        toxics = Toxics(given.latency_ms, given.jitter_ms, given.reset_share)
        proxy = FaultProxy((given.host, given.port), toxics, ttl_s=given.ttl)
        asyncio.run(proxy.serve(Path(given.port_file)))


def burn() -> None:
    """Spin, with the lowest claim but one on the processor."""
    os.nice(10)
    while True:
        pass


def fill(megabytes: float, *, over_s: float) -> None:
    """Take memory in steps, touching every page so that it is really taken; then hold it."""
    kept = []
    for _ in range(STEPS):
        piece = bytearray(int(megabytes * MEGABYTE / STEPS))
        piece[::PAGE] = b"\x01" * len(piece[::PAGE])
        kept.append(piece)
        time.sleep(over_s / STEPS)
    signal.pause()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--fault", required=True)
    parser.add_argument("--ttl", type=float, required=True)
    kinds = parser.add_subparsers(dest="kind", required=True)
    kinds.add_parser("cpu")
    memory = kinds.add_parser("memory")
    memory.add_argument("--megabytes", type=float, required=True)
    memory.add_argument("--over", type=float, required=True)
    proxy = kinds.add_parser("proxy")
    proxy.add_argument("--host", required=True)
    proxy.add_argument("--port", type=int, required=True)
    proxy.add_argument("--port-file", required=True)
    for name in ("latency-ms", "jitter-ms", "reset-share"):
        proxy.add_argument(f"--{name}", type=float, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
