"""Security profile 3 from end to end: a daemon, simulated charge points with certificates of `csms pki`, and SIGHUP."""

from __future__ import annotations

import json
import signal
import ssl

from websockets.sync.client import connect

from tests.cli.command import csms
from tests.end_to_end.daemon import ForkedDaemon, wait
from tests.programs import free_port
from tests.websocket.pki import ORGANIZATION, pki, revoke


def _simulate(url, folder, name):
    place = folder / "charger" / name
    return csms(
        "simulate", "--url", url, "--ca", str(folder / "ca.pem"), "--certificate", f"{place}.pem", "--key", f"{place}.key",
        "--duration", "600", "--speed", "3600", "--patience", "0", "--timeout", "15", "--json", cwd=folder,
    )  # fmt: skip


def _heartbeat(socket, message_id):
    socket.send(json.dumps([2, message_id, "Heartbeat", {}]))
    return json.loads(socket.recv(timeout=10))[:2]


def test_a_session_with_a_certificate_and_none_without(tmp_path):
    pki(tmp_path, "init", "--organization", ORGANIZATION)
    pki(tmp_path, "issue", "server", "127.0.0.1")
    for name in ("CP1", "CP2"):
        pki(tmp_path, "issue", "charger", name)
    folder, port = tmp_path / "pki", free_port()
    place = folder / "server" / "127.0.0.1"
    settings = {
        "CSMS_TLS_LISTEN": f"tcp:{port}:interface=127.0.0.1",
        "CSMS_TLS_CERTIFICATE": f"{place}.pem",
        "CSMS_TLS_KEY": f"{place}.key",
        "CSMS_TLS_CLIENT_CA": str(folder / "ca.pem"),
        "CSMS_TLS_CRL": revoke(folder),
        "CSMS_SECURITY_PROFILE": "3",
        "CSMS_PKI_ORGANIZATION": ORGANIZATION,
    }
    url = f"wss://127.0.0.1:{port}/ocpp/"
    trusted = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    trusted.load_cert_chain(f"{folder}/charger/CP2.pem", f"{folder}/charger/CP2.key")
    with ForkedDaemon(tmp_path / "daemon", **settings) as daemon:
        out, err, status = _simulate(url + "CP1", folder, "CP1")
        assert (err, status) == ([], 0)
        assert json.loads(out.splitlines()[-1])["summary"]["settled"] == 1
        assert _simulate(url + "CP2", folder, "CP1")[2] == 1, "CP1's certificate does for CP2"
        with connect(url + "CP2", ssl=trusted, subprotocols=["ocpp1.6"]) as socket:
            assert _heartbeat(socket, "1") == [3, "1"]
            revoke(folder, folder / "charger" / "CP1", folder / "charger" / "CP2")
            daemon.process.send_signal(signal.SIGHUP)
            wait(lambda: "certificates reloaded" in daemon.log.read_text())
            assert _heartbeat(socket, "2") == [3, "2"], "who was there has been dropped"
            _, err, status = _simulate(url + "CP1", folder, "CP1")
            assert status == 1
            assert "certificate" in err[0]
