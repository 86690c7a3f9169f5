"""The handlers and the commands of each OCPP version, by its family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import evolve

from csms.handlers import v2, v16
from csms.handlers.certificate_requests import Signing
from csms.handlers.command_set import CommandSet
from csms.handlers.contracts import Contracts
from csms.handlers.iso15118 import NOBODY, Providers
from csms.handlers.request import Policy, Reads
from csms.handlers.tags import Authority
from csms.handlers.v2.transaction_commands import with_transactions
from csms.ledger.cost import Tariff
from csms.ocppj.versions import V16, V21, V201, Version

COMMAND_SETS: Mapping[Version, CommandSet] = {V16: v16.COMMANDS, V201: v2.COMMANDS_201, V21: v2.COMMANDS_21}


def command_sets(tariff: Tariff) -> Mapping[Version, CommandSet]:
    """Return the commands of each version; ``tariff`` is that of charge points that have none of their own."""
    return {
        version: commands if version is V16 else evolve(commands, learners=with_transactions(commands.learners, tariff))
        for version, commands in COMMAND_SETS.items()
    }


def handlers(
    version: Version,
    reads: Reads,
    policy: Policy,
    authority: Authority | None = None,
    contracts: Contracts | None = None,
    signing: Signing | None = None,
    providers: Providers = NOBODY,
) -> Sequence[object]:
    """Return the objects whose methods answer the CALLs of a version."""
    if version is V16:
        return v16.handlers(reads, policy, authority, signing)
    return v2.handlers(reads, policy, authority, contracts, signing, providers, is_21=version is V21)
