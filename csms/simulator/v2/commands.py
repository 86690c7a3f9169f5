"""All answers to the commands of OCPP 2.0.1 and 2.1, put together. What a version does not have, its schemas refuse."""

from __future__ import annotations

from ocpp.v16.enums import ChargePointStatus

from csms.ocppj.schemas import schemas_of
from csms.simulator.behaviour import Behaviour
from csms.simulator.client import Target
from csms.simulator.commands import Commands, Controls, Handler
from csms.simulator.station import Station
from csms.simulator.v2 import device_model, messages
from csms.simulator.v2.authorization import Authorization
from csms.simulator.v2.availability import Availability
from csms.simulator.v2.certificates import Certificates
from csms.simulator.v2.der_control import DerControl
from csms.simulator.v2.diagnostics import Diagnostics
from csms.simulator.v2.display import Display
from csms.simulator.v2.monitoring import Monitoring
from csms.simulator.v2.provisioning import Provisioning
from csms.simulator.v2.remote_control import RemoteControl
from csms.simulator.v2.smart_charging import SmartCharging
from csms.simulator.v2.tariffs import Tariffs


def commands(station: Station, controls: Controls, behaviour: Behaviour, target: Target) -> Commands:
    """Return what answers the commands of one station's server."""
    password = _Password()

    def availability(evse_id: int) -> str:
        status = ChargePointStatus.charging if controls.charging(evse_id) else station.idle_status(evse_id)
        return messages.connector_status(status)

    model = device_model.make(
        station,
        behaviour,
        target.client_id,
        availability=availability,
        new_password=password.set,
        now=controls.timestamp,
    )
    blocks = (
        Provisioning(station, controls, model, password.take),
        Monitoring(behaviour.version, controls, model),
        RemoteControl(station, controls),
        Availability(station, controls),
        Authorization(station),
        SmartCharging(station, controls),
        Diagnostics(controls),
        Display(controls),
        Certificates(),
        Tariffs(station, controls),
        DerControl(controls),
    )
    handlers: dict[str, Handler] = dict(_FIXED_ANSWERS)
    for block in blocks:
        handlers.update(block.handlers)
    return Commands(schemas_of(behaviour.version), handlers)


class _Password:
    """A password that was set, until the answer has left and it is used."""

    def __init__(self) -> None:
        self._new: str | None = None

    def set(self, password: str) -> None:
        self._new = password

    def take(self) -> str | None:
        password, self._new = self._new, None
        return password


def _always(answer: messages.Payload) -> Handler:
    return lambda _payload: (answer, None)


_FIXED_ANSWERS: dict[str, Handler] = {
    # It has no periodic event streams, no batteries to swap and no frequency to regulate: it says so.
    "AdjustPeriodicEventStream": _always({"status": "Rejected"}),
    "AFRRSignal": _always({"status": "Rejected"}),
    "DataTransfer": _always({"status": "UnknownVendorId"}),
    "GetPeriodicEventStream": _always({}),
    "NotifyWebPaymentStarted": _always({}),
    "RequestBatterySwap": _always({"status": "Rejected"}),
}
