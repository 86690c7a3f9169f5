"""The state machines, for as long as a normal test run can spare; `make fuzz` looks further."""

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.fuzz.session_machine import MACHINES


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.version.name)
def test_any_order(machine):
    run_state_machine_as_test(
        machine, settings=settings(max_examples=30, stateful_step_count=30, deadline=None, database=None)
    )
