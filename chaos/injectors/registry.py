"""Injectors by the name of their experiment: whoever undoes has only the ledger's word for it."""

from collections.abc import Mapping

from chaos.injectors.base import Injector
from chaos.injectors.ecs import InstanceTermination, Scaling
from chaos.injectors.exhaustion import CpuExhaustion, MemoryLeak
from chaos.injectors.network import ConnectionReset, NetworkLatency
from chaos.injectors.rds import DatabaseFailure

__all__ = ["INJECTORS"]

INJECTORS: Mapping[str, Injector] = {
    "network_latency": NetworkLatency(),
    "connection_reset": ConnectionReset(),
    "cpu_exhaustion": CpuExhaustion(),
    "memory_leak": MemoryLeak(),
    "scaling": Scaling(),
    "instance_termination": InstanceTermination(),
    "database_failure": DatabaseFailure(),
}
