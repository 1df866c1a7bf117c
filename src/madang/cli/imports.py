"""`madang import`: a city's own files, with a progress bar and a quality report."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from madang.places.models import ImportRun

CONNECTORS = {
    "cctv": ("cctv_standard", "The national CCTV standard data (CSV or JSON), any of its three layouts."),
    "boundaries": ("boundaries_geojson", "Administrative boundaries (GeoJSON)."),
    "addresses": ("address_csv", "Addresses with coordinates (CSV)."),
    "road-addresses": ("road_address", "National road-name addresses (도로명주소), texts or their ZIP."),
    "osm": ("osm", "A real city's map: OpenStreetMap (.osm.pbf, .osm or GeoJSON)."),
    "survey": ("camera_survey", "Where cameras look, and their stream addresses (CSV or JSON)."),
    "bells": ("bell_standard", "The national safety-bell standard data (CSV or Excel)."),
    "basemap": ("basemap_geojson", "Roads, buildings, water, parks and labels (GeoJSON)."),
}
"""What can be imported: the connector that reads it, and what it is."""
MODES = ("live", "exercise", "simulated")


@click.group("import")
def import_() -> None:
    """Take in a city's own files. Importing again updates and never doubles."""


def _command(kind: str, text: str) -> click.Command:
    @click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
    @click.option("--authority", help="The city's code; not needed where there is one city.")
    @click.option("--mode", type=click.Choice(MODES), default="live", show_default=True)
    def run(file: Path, authority: str | None, mode: str) -> int:
        from madang.cli.house import city_code, open_house

        open_house()
        return _tell(take_in(kind, file, city_code(authority), mode))

    return click.command(kind, help=text)(run)


for _kind, (_, _text) in CONNECTORS.items():
    import_.add_command(_command(_kind, _text))


def take_in(kind: str, file: Path, authority: str, mode: str) -> ImportRun:
    """Imports one file with its connector, showing a progress bar."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from madang.cli.house import actor_at_the_keyboard
    from madang.kernel.mode import Mode

    connector = importlib.import_module(f"madang.connectors.{CONNECTORS[kind][0]}.command")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns) as bar:
        task = bar.add_task(file.name, total=None)

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total or None)

        actor = actor_at_the_keyboard(authority)
        result: ImportRun = connector.run(file, authority, actor, progress, mode=Mode(mode))
        bar.update(task, completed=result.progress, total=result.progress or None)
    return result


def _tell(run: ImportRun) -> int:
    """Shows what came of it; returns the exit code: 1 for a file that was not taken."""
    counts = ", ".join(f"{name} {count:,}" for name, count in run.counts.items() if isinstance(count, int))
    if run.state != "done":
        click.echo(f"error: {run.filename} was {run.state}: {run.reason_en or run.reason_ko}", err=True)
        return 1
    click.echo(f"{run.filename}: {counts or 'nothing new'}")
    if run.report_path:
        click.echo(f"Quality report: {run.report_path}")
    return 0
