"""Fixtures: a fake API, and the command in this process, which is quicker than in one of its own."""

from __future__ import annotations

import io
import os
import sys

import pytest

from csms.cli.main import main

from .fake_api import FakeApi

_SETTINGS = ("CSMS_", "MQTT_", "HTTP_")


@pytest.fixture
def api():
    fake = FakeApi()
    yield fake
    fake.close()


@pytest.fixture
def run(api, capsys, monkeypatch):
    """Run the command against the fake API; its output, its errors' lines and its status."""
    for name in os.environ:
        if name.startswith(_SETTINGS):
            monkeypatch.delenv(name)

    def run(*arguments, stdin=b"", **environment):
        monkeypatch.setenv("CSMS_URL", api.url)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as ended:
            main(list(map(str, arguments)))
        out, err = capsys.readouterr()
        return out, err.splitlines(), ended.value.code

    return run
