"""What a city may set about places and imports: the `[places]` section."""

import msgspec


class PlacesConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Import reports and the limits of files taken in."""

    reports_dir: str = "reports"
    """Where import reports are written; relative to the state directory unless absolute."""
    max_file_bytes: int = 2_000_000_000
    """A larger file is refused before it is read, bytes."""
    max_json_bytes: int = 200_000_000
    """JSON is read whole, so it is bounded more tightly than CSV, bytes."""
    issues_kept: int = 2_000
    """Bad rows kept for the screen per run and kind of fault; the report file always has every one."""
    chunk_rows: int = 10_000
    """Rows written in one transaction."""
    stale_run_s: int = 120
    """A run that was not heard of for this long was interrupted, seconds."""
    outside_tolerance_m: float = 5_000.0
    """How far outside the city's boundary a site may stand before its coordinate is disbelieved, metres: islets,
    breakwaters and new land are missing from real boundary files."""
    files_dir: str = "places"
    """Where the search index, the ground and the tiles of each city lie; relative to the state directory unless
    absolute. Machines that share a civic store share this folder, too."""
    max_unpacked_bytes: int = 12_000_000_000
    """The most that a ZIP or PBF file may unpack to, bytes."""
    address_crs: str = "EPSG:5179"
    """The reference system of road-name address files. The national ones are in UTM-K; state another only for files
    that were converted (EPSG:5174, 5186 …)."""
    max_zoom: int = 14
    """The closest zoom that tiles are built for; closer ones are drawn from these."""
