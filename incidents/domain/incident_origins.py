"""What an incident is made of: from which one it was split off, which were merged into it, what went."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from incidents.domain.page_receipts import Entry
from incidents.domain.receipts import Ruling, Verdict

__all__ = ["ACTS", "origins_of"]

_SAYS: Mapping[str, tuple[str, Callable[[str, str], str]]] = {
    "split_off": (
        "split_off",
        lambda who, of: f"{who} split it off from {of}: its first alerts were part of that.",
    ),
    "split": ("split", lambda who, of: f"{who} split off {of}."),
    "merged": (
        "merged_in",
        lambda who, of: f"{who} merged {of} into it: nobody is called for that one any more.",
    ),
    "unmerged": (
        "unmerged",
        lambda who, of: f"{who} took {of} out of it: that is one of its own again.",
    ),
}
# Of the timeline.
ACTS = tuple(_SAYS)


def origins_of(entries: Iterable[Entry]) -> Iterator[Verdict]:
    """Yield what became of an incident by splits and merges, in their order.

    Args:
        entries: Of the timeline; of others than the reader may know of, their words are numbers.
    """
    for entry in entries:
        if entry.act in _SAYS:
            rule, say = _SAYS[entry.act]
            text = say(entry.actor, entry.text.rstrip("."))
            source = entry.facts.get("source")
            facts = {} if source is None else {"source": source}
            yield Verdict(rule, Ruling.DECIDED, text, entry.at, facts)
