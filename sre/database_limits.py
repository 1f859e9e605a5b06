"""How many connections an RDS instance admits."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sre import aws
from sre.aws import UnreadableError

__all__ = ["ConnectionLimit", "connection_limit", "memory_gib"]

PARAMETERS = "rds:DescribeDBParameters"
FORMULA = re.compile(r"\{DBInstanceClassMemory/(\d+)\}")
CEILING = re.compile(r"LEAST\(.*,\s*(\d+)\s*\)")
GIB = 1024**3
Ask = Callable[[str, Callable[[Any], Any]], Any]
# Memory of size `large`, by the letter of the family: burstable, general, memory, extreme.
LARGE_GIB = {"t": 8, "m": 8, "r": 16, "x": 32}
SMALLER = {"micro": 1 / 8, "small": 1 / 4, "medium": 1 / 2, "large": 1, "xlarge": 2}


@dataclass(frozen=True)
class ConnectionLimit:
    """A limit and where it is from, in words."""

    connections: int
    source: str


def connection_limit(ask: Ask, db_instance: str) -> ConnectionLimit:
    """Return `max_connections` of an instance; `ask` reads with a client of RDS.

    A number in the parameter group is exact. The default is a formula of the memory that the
    engine sees, which AWS tells nobody: the class's nominal memory gives an upper estimate.

    Raises:
        UnreadableError: If AWS refuses, or the formula is of another kind.
    """
    found = ask(
        "rds:DescribeDBInstances",
        lambda rds: rds.describe_db_instances(DBInstanceIdentifier=db_instance),
    )
    instance = found["DBInstances"][0]
    groups = instance.get("DBParameterGroups") or []
    if not groups:
        raise UnreadableError(PARAMETERS, f"{db_instance} names no parameter group.")
    value = ask(PARAMETERS, lambda rds: _parameter(rds, groups[0]["DBParameterGroupName"]))
    if value.isdigit():
        return ConnectionLimit(int(value), "max_connections of the parameter group")
    return _estimate(value, instance["DBInstanceClass"])


def memory_gib(instance_class: str) -> float | None:
    """Return the nominal memory of a class such as `db.r6g.2xlarge`, None when not known."""
    matched = re.fullmatch(r"db\.([a-z])\d+[a-z]*\.(?:(\d+)xlarge|([a-z]+))", instance_class)
    if not matched or matched[1] not in LARGE_GIB:
        return None
    share = 2 * int(matched[2]) if matched[2] else SMALLER.get(matched[3])
    return None if share is None else LARGE_GIB[matched[1]] * share


def _parameter(client: Any, group: str) -> str:
    request = {"DBParameterGroupName": group}
    for page in aws.pages(client.describe_db_parameters, request, "Marker"):
        for parameter in page["Parameters"]:
            if parameter["ParameterName"] == "max_connections":
                return str(parameter.get("ParameterValue") or "")
    return ""


def _estimate(formula: str, instance_class: str) -> ConnectionLimit:
    divisor, memory = FORMULA.search(formula), memory_gib(instance_class)
    if not divisor or memory is None:
        raise UnreadableError(
            PARAMETERS,
            f"max_connections is “{formula or 'not set'}”, which cannot be computed for"
            f" {instance_class}; pass max_connections.",
        )
    connections = int(memory * GIB / int(divisor[1]))
    if ceiling := CEILING.search(formula):
        connections = min(connections, int(ceiling[1]))
    return ConnectionLimit(connections, f"at most, by the {memory:g} GiB of {instance_class}")
