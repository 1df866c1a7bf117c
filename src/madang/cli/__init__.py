"""The `madang` command. Each subcommand is loaded only when it is asked for."""

from madang.cli.command import main

__all__ = ["main"]
