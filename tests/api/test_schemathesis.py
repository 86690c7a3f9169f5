"""Whatever is sent that the description allows, or does not: no answer outside of it, and none that says that we failed."""

from __future__ import annotations

import os
import sys
from collections import deque

import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet.utils import getProcessOutputAndValue

from csms.chargepoint import outcomes
from tests.api.conftest import open_desk
from tests.api.fakes import offline
from tests.api.test_resources import charge
from tests.api.test_variables import report_model

_EXAMPLES = 8
_CONFIGURATION = """
[checks]
# 502, 503 and 504 are answers of ours. 500 is none that is described: status_code_conformance tells of it.
not_a_server_error.enabled = false
# What is as described can still be unknown here.
positive_data_acceptance.enabled = false

[[operations]]
include-operation-id = "importIdTags"
# Every text is CSV: what is wrong with its lines is told in the report.
checks.negative_data_rejection.enabled = false
"""


class Endless(deque):
    """Outcomes that come again and again."""

    def popleft(self):
        self.rotate(-1)
        return self[-1]


@pytest_twisted.async_yield_fixture
async def filled(tmp_path, empty_database):
    """A desk with something behind every path, and charge points that answer in every way."""
    desk, close = await open_desk(tmp_path, empty_database, token="s3cret")
    await report_model(desk)
    await charge(desk)
    desk.commands.answers = Endless(
        [
            {"status": "Accepted"},
            outcomes.CallRefused("InternalError", "no", {}),
            offline(),
            outcomes.CallTimedOut("m1"),
            outcomes.InvalidPayload("type", "missing"),
            outcomes.UnknownAction("x"),
        ]
    )
    yield desk
    await close()


@ensureDeferred
async def test_no_answer_is_outside_of_its_description(filled, logged, tmp_path):
    (tmp_path / "schemathesis.toml").write_text(_CONFIGURATION)
    # A program of its own: it blocks while it waits for the answers that this one gives.
    out, err, code = await getProcessOutputAndValue(
        sys.executable,
        [
            *("-c", "from schemathesis.cli import schemathesis; schemathesis()", "run"),
            f"http://127.0.0.1:{filled.port}/api/v1/openapi.json",
            *("--header", "Authorization: Bearer s3cret"),
            *("--max-examples", str(_EXAMPLES)),
            *("--phases", "examples,coverage,fuzzing"),
            *("--generation-database", "none"),
            *("--request-timeout", "10", "--no-color", "--warnings", "off"),
        ],
        env={**os.environ, "HOME": str(tmp_path)},
        path=str(tmp_path),
    )
    assert code == 0, out.decode() + err.decode()
    assert not logged.failures
