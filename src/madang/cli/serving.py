"""`madang serve`."""

from __future__ import annotations

import click


@click.command()
@click.option(
    "--role",
    type=click.Choice(["all", "core", "media", "worker"]),
    default="all",
    show_default=True,
    help="Everything on this machine, or one part of it.",
)
@click.option("--insecure-dev", is_flag=True, help="Make up keys when none are configured. For trying things out only.")
def serve(role: str, insecure_dev: bool) -> int:
    """Run the platform in the foreground until Ctrl-C or SIGTERM."""
    from madang.site.config import load
    from madang.site.serve import serve as run

    config = load()

    def ready() -> None:
        click.echo(f"madang is at {config.server.url}", err=True)

    return run(config, role, insecure=insecure_dev, on_ready=ready)
