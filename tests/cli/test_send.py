"""``csms send``: what it asks of the API, what it prints, and how it ends."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime, timedelta

import pytest

from csms.chargepoint.calls import TURN_S
from csms.chargepoint.commands import LONGEST_TIMEOUT_S, TIMEOUT_S
from csms.cli.send import send

LINE = "POST /chargepoints/CP1/commands/Reset"
ACCEPTED = {"messageId": "m-1", "response": {"status": "Accepted"}}


def test_the_payload_goes_as_it_is_written(run, api):
    api.answer(LINE, ACCEPTED)
    payload = '{"type" : "Hard", "b":1.10, "a":  1e2}'
    out, err, status = run("send", "CP1", "Reset", payload)
    assert (err, status) == ([], 0)
    assert json.loads(out) == {"status": "Accepted"}
    assert api.lines == [f"POST /api/v1{LINE[5:]}"]
    assert api.last.body == payload.encode()
    assert api.last.headers["Content-Type"] == "application/json"
    assert api.last.headers["Authorization"] is None
    assert api.last.headers["Prefer"] is None


def test_json_is_the_whole_answer_on_one_line(run, api):
    api.answer(LINE, ACCEPTED)
    out, _, status = run("send", "CP1", "Reset", "{}", "--json")
    assert (out, status) == ('{"messageId":"m-1","response":{"status":"Accepted"}}\n', 0)


def test_the_payload_comes_from_a_file_from_standard_input_or_is_empty(run, api, tmp_path):
    api.answer(LINE, ACCEPTED)
    (tmp_path / "p.json").write_bytes(b'\xef\xbb\xbf{"type": "Soft"}\n')
    assert run("send", "CP1", "Reset", f"@{tmp_path}/p.json")[2] == 0
    assert api.last.body == b'{"type": "Soft"}\n'
    assert run("send", "CP1", "Reset", "-", stdin='{"type": "Härd"}'.encode())[2] == 0
    assert api.last.body == '{"type": "Härd"}'.encode()
    assert run("send", "CP1", "Reset")[2] == 0
    assert api.last.body == b"{}"


class PatientApi:
    """An API that keeps how long it is waited for."""

    read_s = None

    def request(self, *_, read_s, **__):
        self.read_s = read_s
        return ACCEPTED


@pytest.mark.parametrize(("timeout_s", "waits_s"), [(None, TIMEOUT_S), (1, 1), (600, LONGEST_TIMEOUT_S)])
def test_the_daemon_gives_up_first(timeout_s, waits_s):
    api = PatientApi()
    send.callback.__wrapped__(
        api, "CP1", "Reset", b"{}", timeout_s, expires_at=None, idempotency_key=None, no_wait=False, as_json=True
    )
    assert api.read_s >= TURN_S + waits_s + 5


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ("{", "that is no JSON"),
        ("[1]", "that is no JSON object"),
        ("@missing.json", "missing.json cannot be read"),
        ("[" * 100_000, "that is no JSON"),
        ("-", "that is no UTF-8"),
    ],
)
def test_a_slip_of_the_pen_is_a_usage_error(payload, words, run, api):
    out, err, status = run("send", "CP1", "Reset", payload, stdin=b"\xff")
    assert (out, len(err), status) == ("", 1, 2)
    assert words in err[0]
    assert api.requests == []


def test_options_become_query_and_headers(run, api):
    api.answer("POST /chargepoints/CP1/commands/Reset?timeout=2.5&expiresAt=2030-01-31T11%3A00%3A00Z", ACCEPTED)
    arguments = ["--timeout", "2.5", "--expires-at", "2030-01-31T12:00:00+01:00", "--idempotency-key", "k-1"]
    assert run("send", "CP1", "Reset", "{}", *arguments)[1:] == ([], 0)
    assert api.last.headers["Idempotency-Key"] == "k-1"


def test_expires_at_may_be_a_duration(run, api):
    _, _, status = run("send", "CP1", "Reset", "{}", "--expires-at", "15m")
    expires_at = datetime.fromisoformat(api.last.target.partition("expiresAt=")[2].replace("%3A", ":"))
    assert status == 6
    assert abs(expires_at - datetime.now(UTC) - timedelta(minutes=15)) < timedelta(seconds=30)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--expires-at", "tomorrow"),
        ("--expires-at", "2030-01-31T12:00:00"),
        ("--expires-at", "999999999d"),
        ("--timeout", "nan"),
        ("--timeout", "-1"),
        ("--idempotency-key", "ä"),
        ("--idempotency-key", ""),
        ("--idempotency-key", "a b"),
        ("--idempotency-key", "a\nb"),
    ],
)
def test_a_wrong_option_is_a_usage_error(arguments, run, api):
    out, err, status = run("send", "CP1", "Reset", "{}", *arguments)
    assert (out, len(err), status) == ("", 1, 2)
    assert api.requests == []


def test_without_waiting(run, api):
    api.answer(LINE, {"messageId": "m-2"}, 202)
    out, err, status = run("send", "CP1", "Reset", "{}", "--no-wait")
    assert (out, err, status) == ("sent: message m-2\n", [], 0)
    assert api.last.headers["Prefer"] == "respond-async"


@pytest.mark.parametrize(
    ("client_id", "path"),
    [("a/b", "a%2Fb"), ("a b+ü#?%", "a%20b%2B%C3%BC%23%3F%25"), ("..", "%2E%2E"), (".", "%2E"), ("%2F", "%252F")],
)
def test_an_identity_stays_one_segment_of_the_path(client_id, path, run, api):
    api.answer(f"POST /chargepoints/{path}/commands/Reset", ACCEPTED)
    assert run("send", client_id, "Reset")[1:] == ([], 0)


@pytest.mark.parametrize(
    ("http_status", "status"),
    [(400, 7), (401, 8), (404, 6), (409, 7), (413, 7), (422, 7), (429, 3), (500, 1), (502, 5), (503, 3), (504, 4)],
)
def test_a_problem_is_its_detail_and_a_status(http_status, status, run, api):
    api.problem(LINE, http_status, "what is\nwrong \x1b[31m\u202e[red]", path="x")
    out, err, code = run("send", "CP1", "Reset", CSMS_HTTP_TOKEN="t")
    assert (out, code) == ("", status)
    assert err == [r"csms: what is wrong \u001b[31m\u202e[red]"]


def test_a_call_error_is_told_once(run, api):
    detail = "the charge point answered InternalError: out of order"
    api.problem(LINE, 502, detail, errorCode="InternalError", errorDescription="out of order", errorDetails={})
    assert run("send", "CP1", "Reset") == ("", [f"csms: {detail}"], 5)


def test_an_answer_that_is_no_problem_of_csms(run, api):
    api.answer(LINE, b"<html>Bad gateway</html>", 502, **{"Content-Type": "text/html"})
    assert run("send", "CP1", "Reset") == ("", [f"csms: {api.url} answered 502 Bad Gateway"], 9)
    api.answer("GET /chargepoints/CP1", b"<html>Hello</html>", **{"Content-Type": "text/html"})
    out, err, status = run("chargepoint", "show", "CP1")
    assert (out, len(err), status) == ("", 1, 1)


def test_the_daemon_is_away(run):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        out, err, status = run("--url", url, "send", "CP1", "Reset")
    assert (out, err, status) == ("", [f"csms: {url} cannot be reached: Connection refused"], 9)


def test_the_daemon_dies_before_the_answer(run, api):
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        import threading

        def hang_up():
            connection, _ = server.accept()
            connection.recv(10_000)
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        out, err, status = run("--url", url, "send", "CP1", "Reset")
        thread.join()
    assert (out, status) == ("", 4)
    assert err == [f"csms: the connection to {url} was lost: whether it was done is not known"]


def test_a_hostile_response_is_harmless(run, api):
    hostile = "\x1b]0;x\x07\u202e[bold]\u2028\x85\x7f\ud800 grün"
    api.answer(LINE, {"messageId": "m", "response": {"data": hostile}})
    for arguments in ((), ("--json",)):
        out, _, status = run("send", "CP1", "Reset", *arguments)
        assert status == 0
        assert all(character.isprintable() for character in out.replace("\n", ""))
        document = json.loads(out)
        assert (document if not arguments else document["response"])["data"] == hostile
        assert "grün" in out
