"""The walk over all messages of OCPP 2.0.1 and 2.1: none is forgotten, and none can be answered InternalError.

Whatever instance of a schema a station sends, it is answered by what fits the schema of the answer, with rows that a database
takes. Whatever does not fit is answered with the right code.
"""

from __future__ import annotations

from random import Random

import pytest

from csms.handlers.families import COMMAND_SETS
from csms.ocppj.schemas import BadPayload, schemas_of
from csms.ocppj.versions import V21, V201
from tests.handlers.v2.station import VERSIONS, Station
from tests.ocppj.instances import (
    instance,
    schema_of,
    with_a_further_member,
    with_a_wrong_type,
    without_a_member,
)

INSTANCES = 40
SEND = "NotifyPeriodicEventStream"
BOTH_WAYS = {"DataTransfer"}


def from_stations(version):
    """Return the actions that a station sends and is answered."""
    return sorted((schemas_of(version).actions - COMMAND_SETS[version].actions - {SEND}) | BOTH_WAYS)


INCOMING = [(name, action) for name, version in VERSIONS.items() for action in from_stations(version)]
OUTGOING = [(name, action) for name, version in VERSIONS.items() for action in sorted(COMMAND_SETS[version].actions)]
incoming = pytest.mark.parametrize(("name", "action"), INCOMING)
outgoing = pytest.mark.parametrize(("name", "action"), OUTGOING)


def is_right(answer):
    """Tell whether an instance that fits was answered as it may be: an EVSE 2**63 fits the schema, and there is none."""
    return answer.frame[0] == 3 or answer.code == "PropertyConstraintViolation"


def instances(version, message, number=INSTANCES):
    schema = schema_of(version, message)
    for seed in range(number):
        yield instance(schema, Random(f"{message} {seed}"))


@pytest.mark.parametrize(("name", "number"), [("2.0.1", 64), ("2.1", 91)])
def test_every_request_is_handled_or_can_be_sent(name, number):
    version = VERSIONS[name]
    station = Station(version)
    handled = {action for action in schemas_of(version).actions if station.dispatcher.handles(action)}
    sent = {SEND} if version is V21 else set()
    assert len(schemas_of(version).actions) == number
    assert handled | sent | COMMAND_SETS[version].actions == schemas_of(version).actions
    assert handled & COMMAND_SETS[version].actions == BOTH_WAYS
    assert handled == set(from_stations(version))


@incoming
def test_any_instance_is_answered(name, action, logged):
    station = Station(VERSIONS[name])
    answers = [(station.ask(action, payload, "strict"), payload) for payload in instances(station.version, action)]
    for answer, payload in answers:
        assert is_right(answer), (answer.frame, payload)
    assert any(answer.frame[0] == 3 for answer, _ in answers)
    assert not logged.failures


@pytest.mark.parametrize("name", VERSIONS)
def test_a_long_life_with_every_message_in_any_order(name, logged):
    """State that one message left meets every other; ids come again, as they are few."""
    version = VERSIONS[name]
    station, random = Station(version), Random(name)
    actions = from_stations(version)
    for _ in range(1500):
        action = random.choice(actions)
        payload = instance(schema_of(version, action), random)
        answer = station.ask(action, payload)
        assert is_right(answer), (answer.frame, payload)
    assert not logged.failures


def test_any_instance_of_what_is_sent_is_taken():
    station = Station(V21)
    for payload in instances(V21, SEND):
        assert station.send(SEND, payload, "strict").changes


@incoming
def test_a_missing_member_is_a_protocol_error(name, action):
    station = Station(VERSIONS[name])
    schema = schema_of(station.version, action)
    for seed, payload in enumerate(instances(station.version, action, 15)):
        bad = without_a_member(payload, schema, Random(seed))
        if bad is not None:
            assert station.ask(action, bad).code == "ProtocolError", bad


@incoming
def test_a_wrong_type_is_a_type_constraint_violation(name, action):
    station = Station(VERSIONS[name])
    schema = schema_of(station.version, action)
    for seed, payload in enumerate(instances(station.version, action, 15)):
        bad = with_a_wrong_type(payload, schema, Random(seed))
        if bad is not None:
            assert station.ask(action, bad).code == "TypeConstraintViolation", bad


@incoming
def test_a_further_member_is_a_format_violation_in_strict_mode_and_a_deviation_else(name, action, logged):
    station = Station(VERSIONS[name])
    schema = schema_of(station.version, action)
    for seed, payload in enumerate(instances(station.version, action, 10)):
        bad = with_a_further_member(payload, schema, Random(seed))
        assert station.ask(action, bad, "strict").code == "FormatViolation", bad
        answer = station.ask(action, bad)
        assert is_right(answer), (answer.frame, bad)
        assert answer.deviations
    assert not logged.failures


@outgoing
def test_any_command_and_any_response_to_it_can_be_learnt_from(name, action):
    version = VERSIONS[name]
    station = Station(version)
    schemas = schemas_of(version)
    responses = instances(version, f"{action}Response")
    for payload, response in zip(instances(version, action), responses, strict=True):
        schemas.check_request(action, payload, "strict")
        schemas.check_response(action, response, "strict")
        station.learn(COMMAND_SETS[version], action, payload, response)


@outgoing
def test_learners_bear_responses_that_do_not_fit(name, action):
    """Charge points leave members out, and write what they like."""
    version = VERSIONS[name]
    station = Station(version)
    schema = schema_of(version, f"{action}Response")
    for seed, (payload, response) in enumerate(
        zip(instances(version, action, 15), instances(version, f"{action}Response", 15), strict=True)
    ):
        for spoil in (without_a_member, with_a_wrong_type):
            bad = spoil(response, schema, Random(seed))
            if bad is not None:
                with pytest.raises(BadPayload):
                    schemas_of(version).check_response(action, bad, "strict")
                station.learn(COMMAND_SETS[version], action, payload, bad)
    station.learn(COMMAND_SETS[version], action, next(instances(version, action, 1)), {})


def test_the_versions_differ_where_the_specification_says_so():
    assert set(from_stations(V201)) < set(from_stations(V21))
    assert COMMAND_SETS[V201].actions < COMMAND_SETS[V21].actions
