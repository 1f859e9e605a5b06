"""How a process that lives long looks for garbage: seldom, and never through what it loaded at its start."""

import gc

__all__ = ["keep_what_is_loaded"]

# Python's own threshold of 700 is reached with each batch of steps or alerts, which leave no garbage.
_OBJECTS_BETWEEN_LOOKS = 10_000


def keep_what_is_loaded() -> None:
    """Keep modules and models out of the collector's sight, and have it look less often.

    They stay for ever, so walking through them is in vain, and would copy the memory that forked
    processes share.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_LOOKS, 10, 10)
