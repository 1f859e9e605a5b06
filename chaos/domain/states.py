"""States of a run and of what must be undone."""

from enum import StrEnum

__all__ = ["UNFINISHED", "EntryState", "RunState", "Verdict", "next_entry_state"]


class EntryState(StrEnum):
    """Where an entry of the undo ledger is.

    ARMED is written before the fault, so that a crash between the two is undone as well; undoing a
    fault that never came to be changes nothing.
    """

    ARMED = "armed"
    APPLIED = "applied"
    UNDONE = "undone"
    FAILED = "failed"


class RunState(StrEnum):
    """How far a run came, in the words of a Chaos Toolkit journal where it has one."""

    NEW = "new"
    RUNNING = "running"
    COMPLETED = "completed"
    ABORTED = "aborted"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    REFUSED = "refused"


class Verdict(StrEnum):
    """What a run showed."""

    PASSED = "passed"
    DEVIATED = "deviated"
    INCONCLUSIVE = "inconclusive"
    FAILED = "failed"
    REFUSED = "refused"


TRANSITIONS: dict[EntryState, frozenset[EntryState]] = {
    EntryState.ARMED: frozenset({EntryState.APPLIED, EntryState.UNDONE, EntryState.FAILED}),
    EntryState.APPLIED: frozenset({EntryState.UNDONE, EntryState.FAILED}),
    EntryState.FAILED: frozenset({EntryState.UNDONE, EntryState.FAILED}),
    # Undone twice is undone; nothing else follows.
    EntryState.UNDONE: frozenset({EntryState.UNDONE}),
}
UNFINISHED = frozenset({EntryState.ARMED, EntryState.APPLIED, EntryState.FAILED})


def next_entry_state(present: EntryState, wanted: EntryState) -> EntryState:
    """Return `wanted` if it may follow.

    Raises:
        ValueError: If it may not.
    """
    if wanted not in TRANSITIONS[present]:
        raise ValueError(f"an entry that is {present} cannot become {wanted}")
    return wanted
