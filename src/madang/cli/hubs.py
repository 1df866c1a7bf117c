"""`madang hub`: the NGSI-LD broker by itself."""

from __future__ import annotations

import click


@click.command()
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="A loopback address: nobody is asked who they are."
)
@click.option("--port", type=click.IntRange(1, 65_535), default=1026, show_default=True)
@click.option("--store", help="The hub's store. Default: that of the configuration, else var/hub.sqlite3.")
@click.option(
    "--outward",
    multiple=True,
    metavar="HOST",
    help="A private host or network that notifications and @contexts may go to or come from, e.g. 127.0.0.1.",
)
def hub(host: str, port: int, store: str | None, outward: tuple[str, ...]) -> None:
    """Run the hub alone, open to every program on this machine, until Ctrl-C or SIGTERM."""
    import msgspec

    from madang.hub.config import HubConfig
    from madang.site.alone import run_alone
    from madang.site.config import load

    config = load().room("hub")
    assert isinstance(config, HubConfig)
    if store is not None:
        config = msgspec.structs.replace(config, store=store)
    config = msgspec.structs.replace(config, outward_allow=(*config.outward_allow, *outward))
    run_alone(config, host, port, lambda: click.echo(f"the hub is at http://{host}:{port}/ngsi-ld/v1", err=True))
