"""Whatever is sent that the description allows, or does not: no answer outside of it, and none that says that we failed.

Each run sends something else. One that fails tells its seed; ``SCHEMATHESIS_SEED`` sends the same again, and
``SCHEMATHESIS_EXAMPLES`` more for each operation.
"""

from __future__ import annotations

import os
import secrets
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

_EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "8")
_CONFIGURATION = """
[checks]
# 502, 503 and 504 are answers of ours. 500 is none that is described: status_code_conformance tells of it.
not_a_server_error.enabled = false
# What is as described can still be unknown here.
positive_data_acceptance.enabled = false
# What is wrong can also be too much: 413, 414 and 431.
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 414, 415, 422, 428, 429, 431, "5xx"]

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
async def filled(tmp_path, sqlite_copy):
    """A desk with something behind every path, and charge points that answer in every way."""
    desk, close = await open_desk(tmp_path, sqlite_copy, token="s3cret")
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
    seed = os.environ.get("SCHEMATHESIS_SEED") or str(secrets.randbits(64))
    # A program of its own: it blocks while it waits for the answers that this one gives.
    out, err, code = await getProcessOutputAndValue(
        sys.executable,
        [
            *("-c", "from schemathesis.cli import schemathesis; schemathesis()", "run"),
            f"http://127.0.0.1:{filled.port}/api/v1/openapi.json",
            *("--header", "Authorization: Bearer s3cret"),
            *("--max-examples", _EXAMPLES),
            *("--seed", seed),
            *("--phases", "examples,coverage,fuzzing"),
            *("--generation-database", "none"),
            # Long: a busy machine is no fault of the API.
            *("--request-timeout", "120", "--no-color", "--warnings", "off"),
        ],
        # No proxy stands between this machine and itself, whatever is set.
        env={**os.environ, "HOME": str(tmp_path), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"},
        path=str(tmp_path),
    )
    assert code == 0, f"{out.decode()}{err.decode()}\nagain: SCHEMATHESIS_SEED={seed}"
    assert not logged.failures
