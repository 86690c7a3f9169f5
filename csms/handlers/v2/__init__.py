"""OCPP 2.0.1 and 2.1, one module per functional block; what both versions share is written once."""

from __future__ import annotations

from collections.abc import Sequence

from csms.handlers.certificate_requests import Signing
from csms.handlers.contracts import Contracts
from csms.handlers.iso15118 import NOBODY, Providers
from csms.handlers.request import Policy, Reads
from csms.handlers.tags import Authority
from csms.handlers.v2.authorization import Authorization
from csms.handlers.v2.availability import Availability
from csms.handlers.v2.battery_swap import BatterySwap
from csms.handlers.v2.certificate_chains import CertificateChains
from csms.handlers.v2.certificates import Certificates
from csms.handlers.v2.commands import COMMANDS_21, COMMANDS_201
from csms.handlers.v2.data_transfer import DataTransfer
from csms.handlers.v2.der_control import DerControl
from csms.handlers.v2.device_model import DeviceModel
from csms.handlers.v2.diagnostics import Diagnostics
from csms.handlers.v2.display import Display
from csms.handlers.v2.dynamic_schedules import DynamicSchedules
from csms.handlers.v2.firmware import Firmware
from csms.handlers.v2.metering import Metering
from csms.handlers.v2.payment import Payment
from csms.handlers.v2.periodic_streams import PeriodicStreams
from csms.handlers.v2.provisioning import Provisioning
from csms.handlers.v2.reservation import Reservation
from csms.handlers.v2.security import Security
from csms.handlers.v2.smart_charging import SmartCharging
from csms.handlers.v2.transactions import Transactions

__all__ = ["COMMANDS_21", "COMMANDS_201", "handlers"]


def handlers(
    reads: Reads,
    policy: Policy,
    authority: Authority | None,
    contracts: Contracts | None = None,
    signing: Signing | None = None,
    providers: Providers = NOBODY,
    *,
    is_21: bool,
) -> Sequence[object]:
    """Return the objects whose methods answer the CALLs of stations."""
    shared: list[object] = [
        Authorization(reads, policy, authority, contracts, is_21=is_21),
        Availability(),
        Certificates(providers, is_21=is_21),
        DataTransfer(),
        DeviceModel(reads),
        Diagnostics(),
        Display(),
        Firmware(),
        Metering(reads),
        Provisioning(policy),
        Reservation(),
        Security(signing),
        SmartCharging(is_21=is_21),
        Transactions(reads, policy, authority, is_21=is_21),
    ]
    only_21: list[object] = [
        BatterySwap(),
        CertificateChains(providers),
        DerControl(),
        DynamicSchedules(reads),
        Payment(),
        PeriodicStreams(),
    ]
    return [*shared, *only_21] if is_21 else shared
