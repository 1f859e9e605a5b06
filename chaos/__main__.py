"""What is at work, and ending it: works without the portal.

python -m chaos {watch | recover | stop} [--state-dir FOLDER]
"""

import argparse
import sys
import time
from pathlib import Path

from chaos.domain.states import EntryState
from chaos.ledger import UndoEntry, default_folder
from chaos.recovery import recover, stop, watch

__all__ = ["main"]


def main() -> int:
    """Do what the command line asks for; 1 when a fault could not be undone."""
    parser = argparse.ArgumentParser(prog="python -m chaos", allow_abbrev=False)
    parser.add_argument(
        "act",
        choices=("watch", "recover", "stop"),
        help="undo what dead and hung runs leave, for ever or once; end every experiment now",
    )
    parser.add_argument("--state-dir", type=Path, default=default_folder())
    given = parser.parse_args()
    if given.act == "watch":
        for undone in watch(given.state_dir, sleep=time.sleep):
            _say(undone)
    undone = (stop if given.act == "stop" else recover)(given.state_dir)
    return 1 if _say(undone) else 0


def _say(undone: list[UndoEntry]) -> bool:
    """Print what was undone, and return whether something was not."""
    for entry in undone:
        sys.stdout.write(f"{entry.run_id} {entry.fault} {entry.state}: {entry.note}\n")
    sys.stdout.flush()
    return any(entry.state != EntryState.UNDONE for entry in undone)


if __name__ == "__main__":
    sys.exit(main())
