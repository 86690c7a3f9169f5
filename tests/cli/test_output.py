"""What is printed does nothing to a terminal, whatever charge points say."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.cli.output import as_json, moment, visible

from .command import environment

HOSTILE = "\x1b[2J\x1b]0;title\x07\u202e[bold red]x[/]\u2028\x9b31m:smile:"


@given(st.text(st.characters(exclude_categories=())))
def test_every_character_is_printable(text):
    assert all(character.isprintable() for character in visible(text))


@given(st.recursive(st.text(st.characters(exclude_categories=())) | st.integers() | st.none(), st.lists))
def test_json_says_the_same(value):
    for indent in (None, 2):
        text = as_json({"value": value}, indent)
        assert json.loads(text) == {"value": value}
        assert all(character.isprintable() for character in text.replace("\n", ""))
        assert indent or "\n" not in text


def test_what_people_write_stays_as_it_is():
    for text in ("Grüße", "ladesäule 7", "充電", "é́", "a\\b"):
        assert visible(text) == text


def test_marks_do_not_pile_up():
    assert visible("z" + "\u0301" * 9) == "z" + "\u0301" * 4 + "\\u0301" * 5


def on_a_terminal(*arguments, cwd, url):
    """Run the command with a terminal as its output; what it wrote there."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "csms.cli.main", *arguments], cwd=cwd, stdout=theirs, stderr=theirs,
        stdin=subprocess.DEVNULL, env=environment(CSMS_URL=url, TERM="xterm", COLUMNS="200"),
    ) as process:  # fmt: skip
        os.close(theirs)
        written = b""
        try:
            while piece := os.read(ours, 65536):
                written += piece
        except OSError:
            pass  # Linux: the other side is closed.
    os.close(ours)
    assert process.returncode == 0
    # The styles are ours.
    return re.sub(r"\x1b\[[0-9;]*m", "", written.decode().replace("\r\n", "\n"))


@pytest.mark.parametrize(
    ("value", "decimals", "shown"),
    [
        ("2030-01-31T12:00:00.123456Z", 0, "2030-01-31T12:00:00Z"),
        ("2030-01-31T12:00:00.123456Z", 3, "2030-01-31T12:00:00.123Z"),
        ("2030-01-31T12:00:00.5Z", 3, "2030-01-31T12:00:00.5Z"),
        ("2030-01-31T12:00:00Z", 3, "2030-01-31T12:00:00Z"),
        ("yesterday.5", 0, "yesterday.5"),
        (None, 0, None),
        (5, 0, 5),
    ],
)
def test_times_are_as_exact_as_somebody_reads_them(value, decimals, shown):
    assert moment("at", decimals)({"at": value}) == shown


def test_tables_on_a_terminal(api, tmp_path):
    point = {
        "clientId": "CP1",
        "connected": True,
        "vendor": HOSTILE,
        "connectors": [{"connectorId": 1, HOSTILE: HOSTILE}],
    }
    tariff = b"idTag\r\n\x1b[2J\xe2\x80\xae\r\n"
    api.answer("GET /chargepoints?limit=50", {"items": [point]})
    api.answer("GET /chargepoints/CP1", point)
    api.answer("GET /idtags/export", tariff, **{"Content-Type": "text/csv"})
    event = {"eventType": "x", "timestamp": HOSTILE, "payload": {"a": HOSTILE}}
    api.answer("GET /events?limit=50", {"items": [{"position": 1, "topic": HOSTILE, "event": event}]})
    for arguments in (("chargepoint", "list"), ("chargepoint", "show", "CP1"), ("idtag", "export"), ("events",)):
        written = on_a_terminal(*arguments, cwd=tmp_path, url=api.url)
        assert all(character.isprintable() for character in written.replace("\n", "")), written
        assert r"\u001b[2J" in written
        if arguments[0] == "chargepoint":
            assert "CP1" in written
            assert "[bold red]x[/]" in written
            assert ":smile:" in written
            assert "─" in written or "-" in written


def test_a_terminal_of_another_encoding(api, tmp_path):
    api.answer("GET /tariffs?limit=50", {"items": [{"tariffId": "Wärme"}]})
    done = subprocess.run(
        [sys.executable, "-m", "csms.cli.main", "tariff", "list"], cwd=tmp_path, capture_output=True, check=True,
        env=environment(CSMS_URL=api.url, PYTHONIOENCODING="ascii"),
    )  # fmt: skip
    assert done.stdout.splitlines()[1].split(b"\t")[0] == b"W\\xe4rme"
