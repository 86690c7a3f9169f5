"""The servers that other tests rely on do what those tests rely on."""

from __future__ import annotations

import socket

import psycopg
import pytest

from tests.mosquitto import Mosquitto
from tests.programs import accepts

CONNECT = bytes.fromhex("10 0d 0004 4d515454 04 02 003c 0001 78")


def connack(port, timeout):
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as broker:
        broker.sendall(CONNECT)
        return broker.recv(4)


def test_mosquitto_comes_back_on_its_port(tmp_path):
    with Mosquitto(tmp_path, durable=True) as broker:
        first = broker.pid
        assert connack(broker.port, 5) == bytes.fromhex("20020000")
        broker.restart()
        assert broker.pid != first
        broker.kill()
        assert not accepts(broker.port)
        broker.start()
        assert connack(broker.port, 5)
    assert (tmp_path / "mosquitto.db").exists()
    assert not accepts(broker.port)


def test_mosquitto_stands_still(mosquitto):
    mosquitto.pause()
    with pytest.raises(TimeoutError):
        connack(mosquitto.port, 0.1)
    mosquitto.resume()
    assert connack(mosquitto.port, 5)


def test_postgresql_gives_an_empty_database(postgresql_url, postgresql_database):
    for url in (postgresql_url, postgresql_database):
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    assert postgresql_url != postgresql_database


def test_postgresql_recovers(postgresql, postgresql_database):
    postgresql.kill()
    postgresql.start()
    psycopg.connect(postgresql_database).close()
