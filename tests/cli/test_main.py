"""The command itself: help with an example, faults in one line."""

from __future__ import annotations

import pytest

from .command import csms


@pytest.mark.parametrize(
    "command", [(), ("check-config",), ("db",), ("db", "backup"), ("db", "upgrade"), ("demo",), ("simulate",)]
)
def test_help_has_an_example(command, tmp_path):
    out, err, status = csms(*command, "--help", cwd=tmp_path)
    assert (err, status) == ([], 0)
    assert "Example: csms" in out


def test_without_a_command_it_says_what_there_is(tmp_path):
    out, err, status = csms(cwd=tmp_path)
    assert (err, status) == ([], 0)
    assert "check-config" in out


@pytest.mark.parametrize(
    "arguments",
    [("nonsense",), ("db", "backup"), ("demo", "--seconds", "x"), ("demo", "--broker", "here:x"), ("--what",)],
)
def test_a_fault_is_one_line(arguments, tmp_path):
    out, err, status = csms(*arguments, cwd=tmp_path)
    assert (out, len(err)) == ("", 1)
    assert err[0].startswith("csms: ")
    assert status != 0
