"""A charge point of another author: the `ocpp-rpc` client from npm in strict mode, which checks all that we say to it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_table import TABLE
from tests.end_to_end.daemon import Daemon, ForkedDaemon, ask
from tests.programs import find

HERE = Path(__file__).parent / "ocpp_rpc"
CLIENT_ID = "RPC1"


_UNREACHABLE = re.compile(
    r"^npm (?:error|ERR!) code (?:ECONN|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET|E5\d\d)",
    re.MULTILINE,
)


@pytest.fixture
def program(tmp_path: Path) -> list[str]:
    """The command that runs the charge point; npm keeps what it has fetched once, and needs no network after that."""
    node, npm = find("node", "nodejs"), find("npm", "npm")
    folder = tmp_path / "ocpp_rpc"
    shutil.copytree(HERE, folder, ignore=shutil.ignore_patterns("node_modules"))
    _install(npm, folder)
    return [node, str(folder / "charge_point.js")]


def _install(npm: str, folder: Path) -> None:
    """Install what package-lock.json names. Where npm's registry is away that is no fault of ours, under CI either: skip."""
    options = ("--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=1")
    try:
        installed = subprocess.run(
            [npm, "ci", *options],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    except subprocess.TimeoutExpired:
        pytest.skip("npm's registry does not answer, and ocpp-rpc is not in npm's cache")
    if _UNREACHABLE.search(installed.stderr):
        pytest.skip(f"npm's registry cannot be reached, and ocpp-rpc is not in npm's cache: {installed.stderr[:300]}")
    assert installed.returncode == 0, f"npm cannot install ocpp-rpc: {installed.stderr.strip()[-1000:]}"


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with ForkedDaemon(tmp_path / "daemon") as daemon:
        yield daemon


def test_every_action_to_the_ocpp_rpc_client_in_strict_mode(program, daemon, tmp_path):
    answers = tmp_path / "answers.json"
    answers.write_text(json.dumps({action: [accepted, refused, None] for action, _, accepted, refused in TABLE}))
    log = tmp_path / "charge_point.log"
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            [*program, daemon.url.rstrip("/"), CLIENT_ID, str(answers)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as charge_point,
    ):
        try:
            assert charge_point.stdout.readline() == b"READY\n", log.read_text()
            for action, request, accepted, refused in TABLE:
                path = f"/api/v1/chargepoints/{CLIENT_ID}/commands/{action}"
                for response in (accepted, refused):
                    status, body = ask(daemon, "POST", path, request)
                    assert (status, body.get("response")) == (200, response), body
                status, body = ask(daemon, "POST", path, request)
                assert (status, body["errorCode"], body["errorDetails"]) == (502, "SecurityError", {"since": "noon"})
                assert body["errorDescription"] == "not today"
            charge_point.stdin.close()
            assert charge_point.wait(10) == 0
        finally:
            charge_point.kill()
    assert log.read_text() == ""
    # Nor did it show anything that deviates from ours.
    assert ask(daemon, "GET", f"/api/v1/chargepoints/{CLIENT_ID}/quirks")[1]["items"] == []


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
def test_a_session_of_the_ocpp_rpc_client_of_2x(program, daemon, tmp_path, version):
    """In strict mode for 2.0.1; the client has no schemas of 2.1 that it finds."""
    answers = tmp_path / "answers.json"
    answers.write_text(json.dumps({"Reset": [{"status": "Accepted"}, None]}))
    log = tmp_path / "charge_point.log"
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            [*program, daemon.url.rstrip("/"), CLIENT_ID, str(answers), version],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as charge_point,
    ):
        try:
            assert charge_point.stdout.readline() == b"READY\n", log.read_text()
            path = f"/api/v1/chargepoints/{CLIENT_ID}/commands/Reset"
            assert ask(daemon, "POST", path, {"type": "OnIdle"})[1]["response"] == {"status": "Accepted"}
            status, body = ask(daemon, "POST", path, {"type": "OnIdle"})
            assert (status, body["errorCode"]) == (502, "SecurityError")
            charge_point.stdin.close()
            assert charge_point.wait(10) == 0
        finally:
            charge_point.kill()
    assert log.read_text() == ""
    assert ask(daemon, "GET", f"/api/v1/chargepoints/{CLIENT_ID}/quirks")[1]["items"] == []
