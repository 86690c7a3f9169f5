"""How the daemon starts, refuses to start, and stops."""

from __future__ import annotations

import json
import re
import resource
import signal
import socket
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from tests.certificates import write_certificate
from tests.end_to_end.charger import Charger
from tests.end_to_end.daemon import Daemon

_START_MAY_TAKE_S = 2.0
_WAIT_S = 30.0


@pytest.fixture
def plain(tmp_path):
    daemon = Daemon(tmp_path / "plain")
    yield daemon
    daemon.__exit__()


def refused(daemon: Daemon) -> str:
    """Start a daemon that must not start; return the one line on standard error."""
    before = _work_of_children_s()
    status = daemon.spawn().wait(_WAIT_S)
    took = _work_of_children_s() - before
    lines = daemon.errors.read_text().splitlines()
    assert status not in (0, None), lines
    assert len(lines) == 1, lines
    assert "Traceback" not in daemon.log.read_text()
    assert took < _START_MAY_TAKE_S * 2, took  # twice: a loaded processor imports slowly
    return lines[0]


def _work_of_children_s() -> float:
    """Return the processor time of the processes that have ended: how long they had to wait for a processor is not theirs."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def test_it_starts_with_defaults_and_tells_that_it_is_ready(plain):
    plain.start()
    status, body = plain.get("/ready")
    assert status == 200
    assert json.loads(body) == {
        "ready": True, "store": True, "listeners": True, "mqtt": "off", "gatewayId": "gw1", "version": "0.1.0",
    }  # fmt: skip
    assert plain.get("/health") == (200, '{"status":"ok"}')
    assert "csms_connected_charge_points 0" in plain.get("/metrics")[1]


def test_it_leaves_no_core_with_what_is_in_its_memory(plain):
    allowed = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (allowed[1], allowed[1]))
    try:
        plain.start()
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, allowed)
    limits = Path(f"/proc/{plain.process.pid}/limits").read_text()
    assert re.search(r"^Max core file size +0 ", limits, re.MULTILINE), limits


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"MQTT_PORT": "99999"}, "mqtt.port: '99999'"),
        ({"CSMS_OCPP_VALIDATION": "sloppy"}, "ocpp.validation: 'sloppy'"),
        ({"CSMS_OCPP_COLOUR": "red"}, "ocpp.colour"),
        ({"CSMS_TLS_CERTIFICATE": "/nowhere.pem", "CSMS_TLS_KEY": "/nowhere.key"}, "tls.certificate /nowhere.pem"),
        ({"CSMS_DATABASE_URL": "sqlite:////nowhere/csms.db"}, "database.url"),
        ({"CSMS_DATABASE_URL": "mysql://u:secret@h/db"}, "mysql is not supported"),
        ({"CSMS_DATABASE_URL": "postgresql://u:secret@127.0.0.1:1/db"}, "database.url"),
        ({"HTTP_PORT": "0"}, "http.port"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(tmp_path, environment, named):
    line = refused(Daemon(tmp_path, **environment))
    assert named in line
    assert "secret" not in line


def test_an_unknown_key_in_the_file_is_one_line(plain):
    file = plain.folder / "csms.toml"
    file.write_text("[ocpp]\nlisten = 'tcp:9000'\nlisen = 1\n")
    plain.arguments = ["--config", str(file)]
    assert "ocpp.lisen: unknown setting" in refused(plain)


def test_a_port_in_use_is_one_line(plain):
    with socket.create_server(("127.0.0.1", plain.port)):
        line = refused(plain)
    assert f"tcp:{plain.port}" in line
    assert "in use" in line


def test_a_database_of_another_running_daemon_is_one_line(plain, tmp_path):
    plain.start()
    second = Daemon(tmp_path / "second", CSMS_DATABASE_URL=f"sqlite:///{plain.database}")
    assert "in use by another running daemon" in refused(second)


def test_a_schema_of_a_newer_csms_is_one_line(plain):
    plain.start()
    assert plain.terminate() == 0
    with sqlite3.connect(plain.database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert "schema 9999, newer than" in refused(plain)


def test_sigterm_answers_what_is_in_flight_closes_with_1001_and_ends_with_0(plain, tmp_path):
    plain.start()
    with Charger(plain.url, "CP1") as charger:
        charger.begin("2026-03-01T10:00:00Z")
        # A CALL in flight when the signal comes: its answer is on the wire before the close.
        charger.socket.send(
            '[2,"last","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Charging"}]'
        )
        status = plain.terminate()
        assert json.loads(charger.socket.recv(timeout=5))[:2] == [3, "last"]
        with pytest.raises(ConnectionClosed) as closed:
            charger.socket.recv(timeout=5)
    assert status == 0
    assert closed.value.rcvd.code == 1001
    with sqlite3.connect(plain.database) as connection:
        assert connection.execute("SELECT status FROM connectors").fetchall() == [("Charging",)]
        assert connection.execute("SELECT connected_since FROM charge_points").fetchall() == [(None,)]


def test_systemd_is_told_ready_watchdog_and_stopping(tmp_path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(path)
        receiver.settimeout(15)
        daemon = Daemon(tmp_path / "d", NOTIFY_SOCKET=path, WATCHDOG_USEC="200000")
        daemon.spawn()
        try:
            assert receiver.recv(100) == b"READY=1"
            assert receiver.recv(100) == b"WATCHDOG=1"
            assert receiver.recv(100) == b"WATCHDOG=1"
            assert daemon.terminate() == 0
            rest = [receiver.recv(100)]
            while rest[-1] != b"STOPPING=1":
                rest.append(receiver.recv(100))
        finally:
            daemon.__exit__()
    assert set(rest) <= {b"WATCHDOG=1", b"STOPPING=1"}


def test_a_credential_is_read_where_the_environment_has_none(tmp_path):
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "CSMS_OCPP_HEARTBEAT_INTERVAL").write_text("77\n")
    with (
        Daemon(tmp_path / "d", CREDENTIALS_DIRECTORY=str(credentials)) as daemon,
        Charger(daemon.url, "CP1", boot=False) as charger,
    ):
        answer = charger.call("BootNotification", chargePointVendor="V", chargePointModel="M")
    assert answer["interval"] == 77


def test_sighup_gives_new_connections_the_new_certificate_and_keeps_running_ones(tmp_path):
    certificate, key = write_certificate(tmp_path, "first")
    issuers = tmp_path / "issuers.pem"
    issuers.write_bytes(certificate.read_bytes())
    settings = {
        "CSMS_TLS_CERTIFICATE": str(certificate),
        "CSMS_TLS_KEY": str(key),
        "CSMS_ISO15118_OCSP_RESPONDERS": "http://ocsp.example.com",
        "CSMS_ISO15118_OCSP_ISSUERS": str(issuers),
    }
    daemon = Daemon(tmp_path / "d", **settings)
    daemon.environment["CSMS_TLS_LISTEN"] = f"tcp:{daemon.http_port + 0}:interface=127.0.0.2"
    secure_url = f"wss://127.0.0.2:{daemon.http_port}/ocpp/"
    with daemon, connect_tls(secure_url, "CP1") as running:
        assert common_name(running) == "first"
        write_certificate(tmp_path, "second", onto=(certificate, key))
        daemon.process.send_signal(signal.SIGHUP)
        wait_for(lambda: any("certificates reloaded" in line["message"] for line in daemon.log_lines()))
        with connect_tls(secure_url, "CP2") as fresh:
            assert common_name(fresh) == "second"
        assert running.call("Heartbeat")["currentTime"]
        certificate.write_text("no certificate")
        issuers.write_text("no certificate")
        daemon.process.send_signal(signal.SIGHUP)
        for words in (
            "the old certificates stay: tls.certificate",
            f"what was read before stays in use: iso15118.ocsp_issuers: {issuers} cannot be used: no certificate in PEM",
        ):
            wait_for(lambda words=words: any(words in line["message"] for line in daemon.log_lines()))
        with connect_tls(secure_url, "CP3") as fresh:
            assert common_name(fresh) == "second"


def connect_tls(url: str, client_id: str) -> Charger:
    import ssl

    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return Charger(url, client_id, ssl=context)


def common_name(charger: Charger) -> str:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    certificate = x509.load_der_x509_certificate(charger.socket.socket.getpeercert(binary_form=True))
    return certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value


def wait_for(condition) -> None:
    deadline = time.monotonic() + 10
    tick = threading.Event()
    while not condition():
        assert time.monotonic() < deadline
        tick.wait(0.02)


def test_five_hundred_chargers_at_once_are_all_let_in(plain):
    plain.start()
    with ThreadPoolExecutor(50) as pool:
        chargers = list(pool.map(lambda number: Charger(plain.url, f"CP{number}"), range(500)))
    try:
        assert plain.metric("csms_connected_charge_points") == 500
    finally:
        with ThreadPoolExecutor(50) as pool:
            list(pool.map(Charger.close, chargers))
