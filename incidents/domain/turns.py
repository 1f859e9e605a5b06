"""How often a condition may come and go within one body: each turn costs statements of its own."""

from collections.abc import Sequence

from msgspec import structs

from incidents.domain.events import Act, AlertEvent, Reading

__all__ = ["MOST_TURNS", "bounded"]

MOST_TURNS = 20
_CONDITIONS = frozenset({Act.TRIGGER, Act.RESOLVE})


def bounded(reading: Reading) -> Reading:
    """Return a reading in which no alert begins and ends more than `MOST_TURNS` times.

    Of what comes after that many turns the last one is kept, so that each alert ends up as the sender
    says; what is left out is named in the remarks.
    """
    if len(reading.events) <= MOST_TURNS:
        return reading
    turns, last = _turns(reading.events)
    endless = {key for key, turn in last.items() if turn > MOST_TURNS}
    if not endless:
        return reading
    events = tuple(
        said
        for said, turn in zip(reading.events, turns, strict=True)
        if turn < MOST_TURNS or turn == last[said.dedup_key]
    )
    remarks = (
        f"{key}: begins and ends more than {MOST_TURNS} times; of the rest only the last counts"
        for key in sorted(endless)
    )
    return structs.replace(reading, events=events, remarks=(*reading.remarks, *remarks))


def _turns(events: Sequence[AlertEvent]) -> tuple[list[int], dict[str, int]]:
    """Return the turn of its alert that each event is part of, from 1, and the last of each alert.

    What neither begins nor ends an alert is part of none, 0.
    """
    turns: list[int] = []
    last: dict[str, int] = {}
    acts: dict[str, Act] = {}
    for said in events:
        key = said.dedup_key
        if said.act not in _CONDITIONS or said.alert_id is not None:
            turns.append(0)
            continue
        if acts.get(key) is not said.act:
            acts[key] = said.act
            last[key] = last.get(key, 0) + 1
        turns.append(last[key])
    return turns, last
