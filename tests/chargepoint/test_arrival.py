"""Configuration on arrival: only where it was asked for."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import UNSET

from csms.ledger.provisioning import Provision
from csms.ledger.state import ConfigurationResult, Record
from csms.store.tables import charge_points
from tests.chargepoint.control import BOOT, Control


@pytest.fixture
def control():
    control = Control()
    with control.ledger.database.begin() as connection:
        connection.execute(
            charge_points.insert(),
            {"client_id": "CP1", "registration": "Accepted", "allow_no_subprotocol": False, "group_name": "north"},
        )
    return control


def _want(control, wanted, scope="chargepoint", name="CP1"):
    control.get(control.operations.provisioning.put_wanted(scope, name, wanted))


def _recorded(control):
    rows = [row for row in control.changes(Record) if row.kind == "WantedConfiguration"]
    return [{key: item["status"] for key, item in msgspec.json.decode(row.body).items()} for row in rows]


def _results(control):
    return {row.key: (row.wanted, row.status, row.read_value) for row in control.changes(ConfigurationResult)}


def test_nothing_is_sent_unasked(control):
    assert control.connect().calls == []


def test_what_differs_is_set(control):
    wanted = {
        "HeartbeatInterval": "60",
        "LocalAuthorizeOffline": "TRUE",
        "NumberOfConnectors": "5",
        "MeterValueSampleInterval": "never",
        "Nonsense": "1",
    }
    _want(control, wanted)
    charger = control.connect()
    assert charger.calls[0] == ("GetConfiguration", {"key": sorted(wanted)})
    assert charger.calls[1:] == [
        ("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "60"}),
        ("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "never"}),
    ]
    assert _recorded(control) == [
        {
            "HeartbeatInterval": "Accepted",
            "LocalAuthorizeOffline": "Unchanged",
            "MeterValueSampleInterval": "Rejected",
            "Nonsense": "NotSupported",
            "NumberOfConnectors": "ReadOnly",
        }
    ]
    assert _results(control) == {
        "heartbeatinterval": ("60", "Accepted", "300"),
        "localauthorizeoffline": ("TRUE", "Unchanged", "true"),
        "metervaluesampleinterval": ("never", "Rejected", "60"),
        "nonsense": ("1", "NotSupported", None),
        "numberofconnectors": ("5", "ReadOnly", "2"),
    }
    told = {event.key: (event.status, event.value, event.wanted) for event in control.events("configuration_changed")}
    assert told == {
        "HeartbeatInterval": ("Accepted", "60", UNSET),
        "MeterValueSampleInterval": ("Rejected", UNSET, "never"),
        "Nonsense": ("NotSupported", UNSET, "1"),
        "NumberOfConnectors": ("ReadOnly", UNSET, "5"),
    }


def test_again_at_every_boot_and_then_there_is_nothing_to_do(control):
    _want(control, {"HeartbeatInterval": "60"})
    charger = control.connect()
    charger.say("BootNotification", BOOT)
    control.settle()
    assert charger.actions == ["GetConfiguration", "ChangeConfiguration", "GetConfiguration"]
    assert _recorded(control)[-1] == {"HeartbeatInterval": "Unchanged"}
    assert _results(control) == {"heartbeatinterval": ("60", "Unchanged", "60")}


def test_not_where_it_reconnects_without_a_boot(control):
    _want(control, {"HeartbeatInterval": "60"})
    control.lose(control.connect())
    assert control.connect(boot=False).calls == []


@pytest.mark.parametrize("registration", ["Pending", "Rejected"])
def test_not_before_it_is_accepted(control, registration):
    _want(control, {"HeartbeatInterval": "60"})
    control.get(control.operations.provisioning.put("CP1", Provision(registration=registration)))
    assert control.connect().calls == []


def test_its_own_keys_go_before_those_of_its_group(control):
    _want(control, {"HeartbeatInterval": "60", "WebSocketPingInterval": "10"}, "group", "north")
    _want(control, {"heartbeatinterval": "90"})
    _want(control, {"HeartbeatInterval": "1"}, "group", "south")
    charger = control.connect()
    assert charger.calls[0][1] == {"key": ["WebSocketPingInterval", "heartbeatinterval"]}


def test_many_keys_are_asked_for_a_few_at_a_time(control):
    _want(control, {f"Key{number:02}": "1" for number in range(25)})
    charger = control.connect()
    assert [len(payload["key"]) for _, payload in charger.calls] == [10, 10, 5]


def test_a_charge_point_that_does_not_answer(control):
    _want(control, {"HeartbeatInterval": "60"})
    charger = control.connect(boot=False)
    charger.answers["GetConfiguration"] = None
    charger.say("BootNotification", BOOT)
    control.settle()
    control.advance(30)
    assert _recorded(control) == [{"HeartbeatInterval": "Timeout"}]
    assert _results(control) == {"heartbeatinterval": ("60", "Timeout", None)}
    assert charger.actions == ["GetConfiguration"]


def test_a_charge_point_that_goes_meanwhile(control):
    _want(control, {"HeartbeatInterval": "60"})
    charger = control.connect(boot=False)
    charger.answers["GetConfiguration"] = None
    charger.say("BootNotification", BOOT)
    control.settle()
    control.lose(charger)
    control.settle()
    assert _recorded(control) == [{"HeartbeatInterval": "ConnectionLost"}]
    assert control.connect().actions == ["GetConfiguration", "ChangeConfiguration"]


def test_values_are_kept_without_their_secrets(control):
    _want(control, {"MeterValueSampleInterval": "ftp://operator:geheim@example.org/x"})
    charger = control.connect()
    assert charger.calls[-1][1]["value"] == "ftp://operator:geheim@example.org/x"
    assert _results(control) == {
        "metervaluesampleinterval": ("ftp://operator:(redacted)@example.org/x", "Rejected", "60")
    }


@pytest.mark.parametrize(
    "wanted",
    [{"AuthorizationKey": "x"}, {"": "x"}, {"K" * 101: "x"}, {"K": "x" * 501}, {"Key": "1", "KEY": "2"}],
)
def test_what_cannot_be_wanted(control, wanted):
    with pytest.raises(ValueError, match=r"."):
        _want(control, wanted)


def test_wanted_is_replaced_and_forgotten(control):
    provisioning = control.operations.provisioning
    _want(control, {"A": "1"})
    _want(control, {"B": "2"})
    assert control.get(provisioning.wanted("chargepoint", "CP1")) == {"B": "2"}
    assert control.get(provisioning.delete_wanted("chargepoint", "CP1"))
    assert not control.get(provisioning.delete_wanted("chargepoint", "CP1"))
    assert control.connect().calls == []
