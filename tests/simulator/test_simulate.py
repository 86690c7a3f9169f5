"""The command line: what it prints, and its exit status."""

from __future__ import annotations

import json
import os
import sys

import pytest
import pytest_twisted
from click.testing import CliRunner
from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue

from csms.cli.simulate import simulate as command

QUICK = ("--speed", "36000", "--duration", "600", "--patience", "0.1")


async def simulate(*arguments, **environment):
    """Run the command and return its output, its errors and its exit status."""
    program = "from csms.cli.simulate import simulate; simulate()"
    out, err, status = await getProcessOutputAndValue(
        sys.executable, ("-c", program, *arguments), env={**os.environ, **environment}, reactor=reactor
    )
    return out.decode().splitlines(), err.decode().splitlines(), status


@pytest_twisted.ensureDeferred
async def test_json_is_one_object_for_each_session_and_a_summary(server):
    out, err, status = await simulate("--url", server.url, "--count", "3", "--json", "--phases", "mixed", *QUICK)
    assert (err, status) == ([], 0)
    *sessions, summary = [json.loads(line) for line in out]
    assert sorted(session["client_id"] for session in sessions) == ["SIM0001", "SIM0002", "SIM0003"]
    assert sorted(session["transaction_id"] for session in sessions) == [1, 2, 3]
    assert all(session["stop_answered"] for session in sessions)
    assert (summary["summary"]["sessions"], summary["summary"]["settled"]) == (3, 3)


@pytest_twisted.ensureDeferred
async def test_a_fleet_of_all_versions(server):
    out, err, status = await simulate(
        "--url", server.url, "--count", "3", "--json", "--version", "1.6,2.0.1,2.1", "--signed", *QUICK
    )
    assert (err, status) == ([], 0)
    *sessions, summary = [json.loads(line) for line in out]
    by_version = {session["version"]: session for session in sessions}
    assert by_version["1.6"]["transaction_id"] == 1
    assert [len(by_version[version]["transaction_id"]) for version in ("2.0.1", "2.1")] == [36, 36]
    assert summary["summary"]["settled"] == 3


@pytest_twisted.ensureDeferred
async def test_plain_lines_where_there_is_no_terminal(server):
    out, _, status = await simulate("--url", f"{server.url}Box", "--reason", "EVDisconnected", *QUICK)
    assert status == 0
    assert out[0].startswith("Box connector 1: transaction 1 ended (EVDisconnected), ")
    assert "1 of 1 sessions ended and answered" in out[-1]


@pytest_twisted.ensureDeferred
async def test_the_password_comes_from_the_environment(server):
    server.password = "Basic Qm94OnNlY3JldA=="  # Box:secret
    _, _, status = await simulate("--url", f"{server.url}Box", *QUICK, CSMS_SIMULATOR_PASSWORD="secret")
    assert status == 0
    assert server.transactions


@pytest_twisted.ensureDeferred
async def test_a_session_that_is_refused_is_a_failure(server):
    server.misbehave["Authorize"] = [{"idTagInfo": {"status": "Blocked"}}]
    out, err, status = await simulate("--url", server.url, *QUICK)
    assert (status, len(err)) == (1, 1)
    assert "1 refused" in out[-1]


@pytest_twisted.ensureDeferred
async def test_it_ends_when_its_time_is_up(server):
    server.misbehave["BootNotification"] = ["silence"]
    _, err, status = await simulate("--url", server.url, "--timeout", "0.2", *QUICK)
    assert (status, len(err)) == (1, 1)
    assert server.sent("BootNotification")


@pytest_twisted.ensureDeferred
async def test_a_server_that_is_not_there_is_one_line():
    _, err, status = await simulate("--url", "ws://127.0.0.1:1/", "--patience", "0")
    assert (status, len(err)) == (1, 1)
    assert "refused" in err[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--url", "http://h/"), "no WebSocket URL"),
        (("--url", "ws://h/", "--speed", "0"), "speed"),
        (("--url", "ws://h/", "--id-tag", "x" * 21), "id_tag"),
        (("--url", "ws://h/", "--version", "1.5"), "'1.5' is no version: allowed are 1.6, 2.0.1, 2.1"),
        (("--url", "ws://h/", "--reason", "StoppedByEV"), "reason StoppedByEV is none of OCPP 1.6"),
        (("--url", "wss://h/", "--ca", __file__), "Unable to load PEM"),
        (("--url", "wss://h/", "--certificate", __file__), "a client certificate needs its key"),
        (("--url", "wss://h/", "--certificate", __file__, "--key", __file__), "Unable to load PEM"),
    ],
)
def test_a_wrong_option_is_one_line(arguments, words):
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 1
    assert words in result.stderr
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
