"""The OCPP versions that a simulated charge point can speak, by their names."""

from __future__ import annotations

from csms.ocppj.versions import V16, V21, V201, Version
from csms.simulator import v2, v16
from csms.simulator.behaviour import Behaviour
from csms.simulator.client import Target
from csms.simulator.commands import Commands, Controls
from csms.simulator.dialect import Dialect
from csms.simulator.station import Station

VERSIONS = {version.name: version for version in (V16, V201, V21)}


def dialect_of(behaviour: Behaviour, client_id: str) -> Dialect:
    """Return how a charge point says things."""
    if behaviour.version is V16:
        return v16.Dialect16(behaviour, client_id)
    return v2.Dialect2(behaviour, client_id)


def commands_of(behaviour: Behaviour, station: Station, controls: Controls, target: Target) -> Commands:
    """Return what answers the commands of a charge point's server."""
    if behaviour.version is V16:
        return v16.commands(station, controls, behaviour)
    return v2.commands(station, controls, behaviour, target)


def versions(names: str) -> list[Version]:
    """Read names of versions with commas between them.

    :raises ValueError: there is no such version.
    """
    wanted = [name.strip() for name in names.split(",")]
    unknown = [name for name in wanted if name not in VERSIONS]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no version: allowed are {', '.join(VERSIONS)}")
    return [VERSIONS[name] for name in wanted]
