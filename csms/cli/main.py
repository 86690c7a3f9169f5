"""The ``csms`` command. Commands are imported when they are asked for; every fault is one line and a status that is not 0."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click

import csms

_COMMANDS = {
    "check-config": ("csms.cli.check_config", "check_config"),
    "db": ("csms.cli.db", "db"),
    "demo": ("csms.cli.demo", "demo"),
    "simulate": ("csms.cli.simulate", "simulate"),
}
_INTERRUPTED = 130


class _Lazy(click.Group):
    """A group that imports a command when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group(
    cls=_Lazy,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: csms demo. The daemon itself is run by twistd: twistd -n csms --config /etc/csms/csms.toml",
)
@click.version_option(csms.__version__, prog_name="csms", message="%(prog)s %(version)s")
@click.pass_context
def group(context: click.Context) -> None:
    """A charging station management daemon: see it work, check its settings, look after its ledger."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main() -> None:
    """Run the command line."""
    try:
        status = group.main(prog_name="csms", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx is not None else error.format_message())
        status = 0
    except click.ClickException as error:
        _fault(error.format_message())
        status = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        _fault("interrupted")
        status = _INTERRUPTED
    except OSError as error:
        _fault(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        status = 1
    sys.exit(_status(status))


def _fault(message: str) -> None:
    click.echo(f"csms: {' '.join(message.split())}", err=True)


def _status(returned: Any) -> int:
    return returned if isinstance(returned, int) else 0


if __name__ == "__main__":
    main()
