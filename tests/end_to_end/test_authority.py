"""A daemon that asks a webhook about id tags, and a webhook that hangs."""

from __future__ import annotations

import json
import sqlite3
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.end_to_end.charger import Charger
from tests.end_to_end.daemon import ForkedDaemon

STATUSES = {"GOOD": "Accepted", "BAD": "Blocked", "OLD": "Expired"}


class Webhook:
    """Knows a few tags; about ``SLOW`` it says nothing until it ends."""

    def __init__(self):
        self.asked = threading.Event()
        self._end = threading.Event()
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                question = json.loads(self.rfile.read(int(self.headers["content-length"])))
                if question["idTag"] == "SLOW":
                    webhook.asked.set()
                    webhook._end.wait()
                status = STATUSES.get(question["idTag"], "Invalid")
                if self.headers["authorization"] != "Bearer s3cret":
                    status = "ConcurrentTx"
                body = json.dumps({"status": status, "parentIdTag": question["clientId"]}).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/tags"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._end.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def webhook():
    webhook = Webhook()
    yield webhook
    webhook.close()


@pytest.fixture
def daemon(tmp_path, webhook):
    settings = {"CSMS_AUTHORITY_URL": webhook.url, "CSMS_AUTHORITY_TOKEN": "s3cret", "CSMS_AUTHORITY_ABSENT": "Blocked"}
    with ForkedDaemon(tmp_path / "daemon", **settings) as daemon:
        yield daemon


def test_unknown_tags_are_what_the_webhook_says(daemon):
    with Charger(daemon.url, "CP1") as charger:
        for tag, status in {**STATUSES, "NOBODY": "Invalid"}.items():
            info = {"status": status, "parentIdTag": "CP1"}
            assert charger.call("Authorize", idTag=tag)["idTagInfo"] == info
            started = charger.call(
                "StartTransaction", connectorId=1, idTag=tag, meterStart=0, timestamp="2026-03-01T10:00:00Z"
            )
            assert started["idTagInfo"] == info
    assert daemon.metric('csms_authority_questions_total{outcome="answered"}') == 4
    assert daemon.metric('csms_authority_questions_total{outcome="cached"}') == 4
    assert "s3cret" not in daemon.log.read_text()


def test_a_webhook_that_hangs_delays_nobody_else_and_does_not_keep_the_daemon_from_stopping(daemon, webhook):
    with Charger(daemon.url, "CP1") as one, Charger(daemon.url, "CP2") as other:
        start = {"connectorId": 1, "idTag": "SLOW", "meterStart": 0, "timestamp": "2026-03-01T10:00:00Z"}
        one.socket.send(json.dumps([2, "slow", "StartTransaction", start]))
        assert webhook.asked.wait(5)
        assert other.call("Authorize", idTag="GOOD")["idTagInfo"]["status"] == "Accepted"
        assert daemon.terminate() == 0
        answer = json.loads(one.socket.recv(timeout=5))
        assert (answer[1], answer[2]["idTagInfo"]) == ("slow", {"status": "Blocked"})
    with sqlite3.connect(daemon.database) as connection:
        assert connection.execute("SELECT id_tag, status FROM transactions").fetchall() == [("SLOW", "active")]
    assert daemon.errors.read_text() == ""
