"""The command itself: help with an example, faults in one line."""

from __future__ import annotations

import click
import pytest

from csms.cli.main import group

from .command import csms


def commands(command=group, path=()):
    """All commands there are, by their names."""
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from commands(command.get_command(context, name), (*path, name))


@pytest.mark.parametrize("command", list(commands()))
def test_help_has_an_example(command, run):
    out, err, status = run(*command, "--help")
    assert (err, status) == ([], 0)
    assert " ".join(["Example: csms", *command]) in " ".join(out.split())


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
