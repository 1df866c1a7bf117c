"""The group every subcommand belongs to, and how an error is told: one clear line, or a trace with `--debug`."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from madang.kernel.errors import ConfigError, MadangError

EXIT_FAILED = 1
EXIT_CONFIG = 78
EXIT_INTERRUPTED = 130

COMMANDS: dict[str, tuple[str, str]] = {
    "account": ("madang.cli.accounts:account", "People who log in, and their roles."),
    "agency": ("madang.cli.agencies:agency", "Linked agencies and the keys they sign with."),
    "audit": ("madang.cli.audit:audit", "Verify and export the audit chain."),
    "backup": ("madang.cli.backups:backup", "Copy both stores, consistently, while the platform runs."),
    "bench": ("madang.cli.bench:bench", "Measure this installation on this machine."),
    "client": ("madang.cli.clients:client", "Programs that get access tokens for their id and secret."),
    "config": ("madang.cli.configs:config", "Check or show the configuration."),
    "demo": ("madang.cli.demo:demo", "Bring up a simulated city."),
    "evidence": ("madang.cli.evidence:evidence", "Check packages of video evidence."),
    "hub": ("madang.cli.hubs:hub", "Run the NGSI-LD hub alone, open to programs on this machine."),
    "import": ("madang.cli.imports:import_", "Take in a city's own files."),
    "init": ("madang.cli.configs:init", "Write a configuration and fresh keys for a new city."),
    "migrate-store": ("madang.cli.moves:migrate_store", "Move the hub's store to PostgreSQL, or back to a file."),
    "restore": ("madang.cli.backups:restore", "Put a backup in place of both stores."),
    "review": ("madang.cli.reviews:review", "Check signed after-action reports."),
    "serve": ("madang.cli.serving:serve", "Run the platform."),
    "token": ("madang.cli.tokens:token", "Credentials of devices and programs."),
    "version": ("madang.cli.configs:version", "Show the version."),
}
"""Every subcommand: where it is and what it does."""


class LazyGroup(click.Group):
    """Knows its commands by name and imports one only to run it or to show its help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in alphabetical order."""
        del ctx
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands without importing any."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in sorted(COMMANDS.items())])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    help="The configuration file. Default: $MADANG_CONFIG, else ./madang.toml if there is one.",
)
@click.option("--debug", is_flag=True, help="Show the whole trace of an error.")
def cli(config_path: Path | None, debug: bool) -> None:
    """Madang (마당): the open smart-city integrated platform."""
    del debug  # read before the parser, so that its own errors obey it too
    os.umask(0o077)  # whichever command makes a store, a report or a copy first: it is for the platform's account alone
    use_config(config_path)


def use_config(path: Path | None) -> None:
    """Settles which configuration file this process and its children read."""
    from madang.site.config import CONFIG_ENV

    if path is None and not os.environ.get(CONFIG_ENV) and Path("madang.toml").is_file():
        path = Path("madang.toml")
    if path is not None:
        os.environ[CONFIG_ENV] = str(path.absolute())


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script: runs the command and exits with its code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    sys.exit(run(given, debug="--debug" in given))


def run(arguments: Sequence[str], *, debug: bool) -> int:
    """Runs a command line; returns the exit code. Errors are told on standard error in one line each."""
    try:
        result = cli.main(list(arguments), prog_name="madang", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        return EXIT_INTERRUPTED
    except MadangError as error:
        if debug:
            raise
        return _tell(error)
    except Exception as error:
        if debug:
            raise
        click.echo(f"error: {type(error).__name__}: {error} (run again with --debug to see where)", err=True)
        return EXIT_FAILED
    return result if isinstance(result, int) else 0


def _tell(error: MadangError) -> int:
    hint = f" ({error.hint})" if error.hint else ""
    click.echo(f"error: {error.detail}{hint}", err=True)
    return EXIT_CONFIG if isinstance(error, ConfigError) else EXIT_FAILED


def setup_django() -> None:
    """Makes the tables usable in this process; for commands that read or write the civic store."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "madang.site.settings")
    import django

    django.setup()
