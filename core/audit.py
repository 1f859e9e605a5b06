"""The audit chain: who did what to which object, when, in an order nobody can rewrite unseen.

Each entry's hash covers its own fields and the hash of the entry before it:

    hash(n) = SHA-256(canonical JSON of seq, at, actor, act, subject, changes, prev_hash)

so a changed, removed or inserted entry breaks every hash after it. Cutting off the newest entries
leaves a shorter chain that still holds: note a head (`manage.py audit_verify --json`) elsewhere
and check it later with `--expect`.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol

from django.db import connection, models
from msgspec import Struct, field

from core.bulk import Part, insert_together, on_postgresql
from core.inserts import Inserts
from core.masking import mask, mask_text
from core.models import AuditEntry
from core.storable import storable

GENESIS = "0" * 64
# Any fixed number that no other advisory lock of this database uses.
_CHAIN_LOCK = 0x5372_0A0D
_CHUNK = 2000
_quoted = json.encoder.encode_basestring_ascii
# What a hash covers.
_COVERED = ("seq", "at", "actor", "act", "subject", "changes", "prev_hash")


class Actor(Protocol):
    """Whoever can be named in the audit: a user or an API token."""

    @property
    def audit_name(self) -> str:
        """How the audit names it, e.g. `user:alice`."""


Who = Actor | str | None
"""Who did something: somebody, a name for them, or None for the portal itself."""


@dataclass(frozen=True)
class ChainReport:
    """What a walk over the chain found.

    Attributes:
        entries: Entries read.
        head_seq: Sequence number of the newest entry; 0 when there is none.
        head_hash: Its hash; 64 zeros when there is none.
        broken_at: Sequence number at which the chain first breaks, or None when it holds.
        reason: What is wrong there.
    """

    entries: int
    head_seq: int
    head_hash: str
    broken_at: int | None = None
    reason: str = ""

    @property
    def holds(self) -> bool:
        """Whether every entry is what was written, in the order it was written."""
        return self.broken_at is None


class Act(Struct, frozen=True):
    """Something that was done.

    Args:
        act: What, as `noun.verb_past`, e.g. `slo.objective_changed`.
        subject: The object, or a name for it.
        actor: Who did it; None is the portal itself.
        changes: What changed, e.g. `{"objective": ["0.99", "0.999"]}`. Values whose name or shape
            is that of a credential are masked. Numbers with a fraction, times and other objects
            are kept as text, so that every database gives back what was hashed.
    """

    act: str
    subject: str | models.Model
    actor: Actor | str | None
    changes: Mapping[str, Any] = field(default_factory=dict)


def record(
    *,
    act: str,
    subject: str | models.Model,
    actor: Actor | str | None,
    now: datetime,
    changes: Mapping[str, Any] | None = None,
) -> None:
    """Append one entry to the chain, in the caller's transaction; see `Act` and `record_all`."""
    record_all([Act(act, subject, actor, changes or {})], now=now)


def record_all(
    acts: Sequence[Act],
    *,
    now: datetime,
    inserts: Inserts | None = None,
    is_last: bool = False,
) -> None:
    """Append entries to the chain, in order, in the caller's transaction.

    On PostgreSQL the chain is locked until that transaction ends, so write this last, after the
    rows it tells of, and send nothing over a network afterwards within the same transaction.

    Args:
        acts: What was done.
        now: When, aware.
        inserts: Rows that they tell of, if they are yet to be written.
        is_last: Whether nothing else happens in the transaction, whose end then may travel with them.

    Raises:
        RuntimeError: Outside a transaction: the entries and what they tell of must commit together.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("record() must share the transaction of the change it tells of")
    rows = inserts or Inserts()
    if not acts:
        rows.write()
        return
    at = now.astimezone(UTC)
    entries: list[dict[str, Any]] = [
        {
            "at": at,
            "actor": storable(actor_name(done.actor))[:200],
            "act": storable(done.act)[:100],
            "subject": storable(subject_name(done.subject))[:200],
            "changes": _plain(mask(dict(done.changes))) if done.changes else {},
        }
        for done in acts
    ]
    # From here on others wait.
    head, prev_hash = _locked_head(rows)
    for seq, entry in enumerate(entries, head + 1):
        entry["seq"], entry["prev_hash"] = seq, prev_hash
        prev_hash = entry["hash"] = _hash(entry)
    insert_together([Part(AuditEntry, entries)], is_last=is_last)


def _locked_head(inserts: Inserts) -> tuple[int, str]:
    """Write rows and return the newest entry's number and hash; nobody else appends until the transaction ends."""
    sql = "SELECT seq, hash FROM core_auditentry ORDER BY seq DESC LIMIT 1"
    head: tuple[int, str] | None
    if on_postgresql():
        # A statement of its own, so that the next one sees what the lock waited for.
        head = inserts.write(then=f"SELECT pg_advisory_xact_lock({_CHAIN_LOCK}); {sql}")
    else:
        inserts.write()
        with connection.cursor() as cursor:
            cursor.execute(sql)
            head = cursor.fetchone()
    return head or (0, GENESIS)


def actor_name(actor: Actor | str | None) -> str:
    """Return how the audit names an actor."""
    if actor is None:
        return "portal"
    return _masked(actor) if isinstance(actor, str) else actor.audit_name


# Most are a few sources of alerts, again and again.
_masked = lru_cache(maxsize=256)(mask_text)


def subject_name(subject: str | models.Model) -> str:
    """Return how the audit names an object: `app.model:key`.

    The key is the row's own, or its `audit_key` where a model has one that outlives the row.
    """
    if isinstance(subject, str):
        return mask_text(subject)
    key = getattr(subject, "audit_key", None)
    return f"{subject._meta.label_lower}:{subject.pk if key is None else mask_text(key)}"


def entry_hash(entry: AuditEntry) -> str:
    """Return the hash that belongs to an entry's fields, 64 hexadecimal digits."""
    return _hash({name: getattr(entry, name) for name in _COVERED})


def _hash(covered: Mapping[str, Any]) -> str:
    """Return the digest of what is covered as JSON, its names in order and nothing between them."""
    at = covered["at"].astimezone(UTC).isoformat(timespec="microseconds")
    changes = covered["changes"]
    is_empty = changes == {}
    written = "{}" if is_empty else json.dumps(changes, sort_keys=True, separators=(",", ":"))
    canonical = (
        f'{{"act":{_quoted(covered["act"])},"actor":{_quoted(covered["actor"])},"at":"{at}",'
        f'"changes":{written},"prev_hash":{_quoted(covered["prev_hash"])},'
        f'"seq":{covered["seq"]},"subject":{_quoted(covered["subject"])}}}'
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


def verify_chain(entries: Iterable[AuditEntry] | None = None) -> ChainReport:
    """Recompute the chain and say where it first breaks.

    Args:
        entries: In order of `seq`; by default all that are stored.
    """
    stored = AuditEntry.objects.order_by("seq").iterator(chunk_size=_CHUNK)
    seq, prev_hash, count = 0, GENESIS, 0
    for entry in stored if entries is None else entries:
        if reason := _fault(entry, seq=seq + 1, prev_hash=prev_hash):
            return ChainReport(count, seq, prev_hash, broken_at=seq + 1, reason=reason)
        seq, prev_hash, count = entry.seq, entry.hash, count + 1
    return ChainReport(count, seq, prev_hash)


def _fault(entry: AuditEntry, *, seq: int, prev_hash: str) -> str:
    if entry.seq != seq:
        return f"entry {seq} is missing; {entry.seq} follows {seq - 1}"
    if entry.prev_hash != prev_hash:
        return f"entry {seq} does not follow the entry before it"
    if entry.hash != entry_hash(entry):
        return f"entry {seq} was changed after it was written"
    return ""


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, dict):
        return {storable(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return storable(str(value))
