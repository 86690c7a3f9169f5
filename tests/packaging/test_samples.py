"""The samples in etc/ are right: they name every setting, load, verify, and start."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from csms.settings import Settings, load
from tests.mosquitto import Mosquitto

ETC = Path(__file__).parents[2] / "etc"
TEXT = (ETC / "csms.toml").read_text()
UNCOMMENTED = re.sub(r"^#(?=[a-z_]+ = )", "", TEXT, flags=re.MULTILINE)
OWN, OTHER = (("pki", "ca_certificate"), ("pki", "ca_key")), (("pki", "url"), ("pki", "token"), ("pki", "roots"))
"""What belongs to an authority of one's own, and to another: one of them signs."""
FIELDS = [(section, name) for section, field in Settings.model_fields.items() for name in field.annotation.model_fields]


def variable(section, name):
    plain = f"{section}_{name}".upper()
    return plain if section == "mqtt" or plain == "HTTP_PORT" else f"CSMS_{plain}"


@pytest.mark.parametrize(("section", "name"), FIELDS)
def test_every_setting_is_explained(section, name):
    part = TEXT.split(f"[{section}]\n")[1].split("\n[")[0]
    explained = re.search(rf"((?:^# .*\n)+)#{name} = ", part, re.MULTILINE)
    assert explained is not None
    assert re.search(rf"\b{variable(section, name)}$", explained[1].strip())


@pytest.mark.parametrize(("section", "name"), FIELDS)
def test_every_setting_is_in_the_documentation(section, name):
    text = (ETC.parent / "docs" / "settings.md").read_text()
    assert f"| `{section}.{name}` | `{variable(section, name)}` |" in text


def test_without_a_change_all_defaults_hold():
    assert tomllib.loads(TEXT) == {section: {} for section in Settings.model_fields}
    assert load(str(ETC / "csms.toml"), {}) == load(None, {})


def without(text, settings):
    part = text.split("[pki]\n")[1].split("\n[")[0]
    rest = re.sub(rf"^({'|'.join(name for _, name in settings)}) = .*\n", "", part, flags=re.MULTILINE)
    return text.replace(part, rest)


def load_fields(folder, text):
    (folder / "csms.toml").write_text(text)
    settings = load(str(folder / "csms.toml"), {})
    return settings, {(section, name) for section, group in tomllib.loads(text).items() for name in group}


def test_uncommented_it_loads_with_another_authority(tmp_path):
    text = without(UNCOMMENTED, OWN).replace('\nauthority = "own"\n', '\nauthority = "https"\n')
    settings, found = load_fields(tmp_path, text)
    assert found == set(FIELDS) - set(OWN)
    assert settings.pki.authority == "https"


def test_uncommented_it_loads_and_says_the_defaults(tmp_path):
    settings, found = load_fields(tmp_path, without(UNCOMMENTED, OTHER))
    assert found == set(FIELDS) - set(OTHER)
    for section, name in FIELDS:
        value = getattr(getattr(settings, section), name)
        default = Settings.model_fields[section].annotation.model_fields[name].default
        if default not in (None, [], PydanticUndefined) and (section, name) != ("http", "port"):
            same = (
                value.get_secret_value() == default.get_secret_value()
                if isinstance(value, SecretStr)
                else value == default
            )
            assert same, f"{section}.{name}"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_the_units_verify(tmp_path):
    for unit in (ETC / "systemd").iterdir():
        (tmp_path / unit.name).write_text(unit.read_text().replace("/opt/csms/bin/twistd", sys.executable))
    units = sorted(map(str, tmp_path.iterdir()))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    ours = [line for line in done.stderr.splitlines() if "csms" in line]
    assert ours == []


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("unit", ["csms.service", "csms-socket.service"])
def test_the_units_are_exposed_little(unit):
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", ETC / "systemd" / unit]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "unrecognized option" in done.stderr:
        pytest.skip("systemd-analyze is older than 250")
    score = re.search(rf"exposure level for {re.escape(unit)}: ([0-9.]+)", done.stdout)
    assert score is not None, done.stderr
    assert float(score[1]) < 2.0


def test_the_units_leave_no_secret_behind():
    for unit in (ETC / "systemd").glob("*.service"):
        lines = unit.read_text().splitlines()
        assert {"LimitCORE=0", "DynamicUser=yes", "StateDirectoryMode=0700", "UMask=0077"} <= set(lines)
        # Everybody can read the environment of a unit, and the command line of a process.
        assert not any("PASSWORD=" in line or "TOKEN=" in line for line in lines)
        # It would end each TLS connection: pyOpenSSL makes its callbacks in such memory.
        assert "MemoryDenyWriteExecute=yes" not in lines


def test_the_units_are_notified_and_hold_no_pidfile():
    for unit in (ETC / "systemd").glob("*.service"):
        text = unit.read_text()
        for line in ("Type=notify", "WatchdogSec=30", "Restart=on-failure", "StateDirectory=csms", "LimitNOFILE=65536"):
            assert line in text.splitlines()
        assert "--nodaemon --pidfile= csms --config /etc/csms/csms.toml" in text


def test_mosquitto_starts_with_the_sample(tmp_path):
    acl = tmp_path / "acl"
    acl.write_text((ETC / "mosquitto.acl").read_text())
    acl.chmod(0o600)
    (tmp_path / "passwd").touch(0o600)
    skipped = ("listener", "allow_anonymous", "set_tcp_nodelay", "#")
    lines = [line for line in (ETC / "mosquitto.conf").read_text().splitlines() if not line.startswith(skipped)]
    text = "\n".join(lines).replace("/etc/mosquitto/csms.acl", str(acl))
    text = text.replace("/etc/mosquitto/passwd", str(tmp_path / "passwd")).replace("/var/lib/mosquitto", str(tmp_path))
    with Mosquitto(tmp_path, settings=f"{text}\n") as broker:
        broker.restart()
    complaints = [line for line in broker.log.read_text().splitlines() if "Error" in line or "Warning" in line]
    assert [line for line in complaints if "run as root" not in line] == []
