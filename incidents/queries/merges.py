"""Merged incidents: in which one each lives on, and which ones live on in one."""

from collections.abc import Iterable

from incidents.models import Incident

__all__ = ["last_of_merges", "lives_on_in", "merged_into"]

# Only what is open takes others in, so merges end somewhere; this is for rows that were written by hand.
_LONGEST_CHAIN = 100


def last_of_merges(incidents: Iterable[Incident]) -> dict[int, int]:
    """Return for each merged incident, by primary key, that at the end of its chain of merges."""
    ends = {each.pk: each.merged_into_id for each in incidents if each.merged_into_id is not None}
    for _ in range(_LONGEST_CHAIN):
        further = dict(
            Incident.objects.filter(pk__in=ends.values(), merged_into__isnull=False).values_list(
                "pk", "merged_into_id"
            )
        )
        if not further:
            break
        ends = {pk: further.get(end, end) for pk, end in ends.items()}
    return ends


def lives_on_in(incident: Incident) -> Incident | None:
    """Return the incident at the end of the merges of one; None where it is not merged."""
    end = last_of_merges([incident]).get(incident.pk)
    return None if end is None else Incident.objects.filter(pk=end).first()


def merged_into(incident: Incident) -> list[Incident]:
    """Return all that live on in an incident, directly or in one of those, in order of their keys."""
    found: dict[int, Incident] = {}
    level = [incident.pk]
    while level:
        rows = Incident.objects.filter(merged_into__in=level)
        new = [row for row in rows if row.pk not in found and row.pk != incident.pk]
        found |= {row.pk: row for row in new}
        level = list({row.pk for row in new})
    return [found[pk] for pk in sorted(found)]
