"""The ``csms`` command. Commands are imported when they are asked for; every fault is one line and a status that is not 0."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

import csms
from csms.cli.faults import Fault, Status
from csms.cli.output import visible

_COMMANDS = {
    "chargepoint": ("csms.cli.chargepoint", "chargepoint"),
    "check-config": ("csms.cli.check_config", "check_config"),
    "db": ("csms.cli.db", "db"),
    "demo": ("csms.cli.demo", "demo"),
    "events": ("csms.cli.events", "events"),
    "idtag": ("csms.cli.idtag", "idtag"),
    "pki": ("csms.cli.pki", "pki"),
    "reservation": ("csms.cli.reservation", "reservation"),
    "send": ("csms.cli.send", "send"),
    "simulate": ("csms.cli.simulate", "simulate"),
    "tariff": ("csms.cli.tariff", "tariff"),
    "token": ("csms.cli.token", "token"),
    "transaction": ("csms.cli.transaction", "transaction"),
}


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

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete names without importing what they stand for."""
        names = [CompletionItem(name) for name in _COMMANDS if name.startswith(incomplete)]
        return names + click.Command.shell_complete(self, ctx, incomplete)


@click.group(
    cls=_Lazy,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: csms demo; csms chargepoint list --connected. The daemon itself is run by twistd: twistd -n csms --config /etc/csms/csms.toml",
)
@click.version_option(csms.__version__, prog_name="csms", message="%(prog)s %(version)s")
@click.option(
    "--url",
    envvar="CSMS_URL",
    show_envvar=True,
    default="http://127.0.0.1:8081",
    show_default=True,
    help="Where the HTTP API of the daemon is.",
)
@click.option(
    "--token",
    envvar="CSMS_HTTP_TOKEN",
    show_envvar=True,
    help="The token that it wants. On a command line others can read it: better the variable or --token-file.",
)
@click.option("--token-file", type=click.Path(path_type=Path), help="A file that holds the token.")
@click.pass_context
def group(context: click.Context, url: str, token: str | None, token_file: Path | None) -> None:
    """A charging station management daemon: see it work, run it, command charge points, look after its ledger."""
    # Those commands that talk to the daemon look at these options.
    del url, token, token_file
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # What the terminal's encoding does not have is shown as its escape.
            stream.reconfigure(errors="backslashreplace")
    try:
        status = group.main(arguments, prog_name="csms", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx is not None else error.format_message())
        status = 0
    except click.ClickException as error:
        _fault(error.format_message())
        status = error.status if isinstance(error, Fault) else error.exit_code
    except (click.Abort, KeyboardInterrupt):
        _fault("interrupted")
        status = Status.INTERRUPTED
    except UnicodeEncodeError:
        _fault("an argument is not UTF-8")
        status = Status.USAGE
    except OSError as error:
        _fault(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        status = 1
    sys.exit(_status(status))


def _fault(message: str) -> None:
    click.echo(f"csms: {visible(' '.join(message.split()))}", err=True)


def _status(returned: Any) -> int:
    return returned if isinstance(returned, int) else 0


if __name__ == "__main__":
    main()
