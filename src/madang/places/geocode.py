"""From what a caller or a file says to places it may mean, best first, each with how sure that is.

The city's search index answers, built at imports (`index`); the rows of the civic store answer for what is newer, and
where there is no index.
"""

from __future__ import annotations

import logging
import sqlite3
import threading

from madang.places import files, rows_search
from madang.places.candidate import Candidate, best
from madang.places.files import Part
from madang.places.gazetteer import Gazetteer
from madang.places.index import source_now
from madang.places.search import search

__all__ = ["Candidate", "candidates"]

SURE = 0.9
"""An index that is this sure is not asked again in the rows."""
CITIES_KEPT = 40
log = logging.getLogger(__name__)

_open: dict[str, tuple[str, Gazetteer]] = {}
_lock = threading.Lock()


def candidates(authority: str, text: str, limit: int = 5) -> list[Candidate]:
    """At most `limit` places of a city that a text may mean, best first; empty when nothing fits."""
    found, complete = _in_index(authority, text)
    if not complete and max((one.score for one in found), default=0.0) < SURE:
        found += rows_search.search(authority, text)
    return best(found, limit)


def _in_index(authority: str, text: str) -> tuple[list[Candidate], bool]:
    """What the index finds, and whether it holds all there is."""
    published = files.current(authority, Part.ADDRESSES)
    gazetteer = _gazetteer(authority, published)
    if published is None or gazetteer is None:
        return [], False
    return search(gazetteer, text), published.source == source_now(authority)


def gazetteer_of(authority: str) -> Gazetteer | None:
    """The city's search index as it is now; None where none was built."""
    return _gazetteer(authority, files.current(authority, Part.ADDRESSES))


def _gazetteer(authority: str, published: files.Published | None) -> Gazetteer | None:
    if published is None:
        return None
    known = _open.get(authority)
    if known is not None and known[0] == published.token:
        return known[1]
    try:
        fresh = Gazetteer(published.path)
    except sqlite3.Error:
        log.warning("the search index %s cannot be read", published.path.name)
        return None
    with _lock:
        _open[authority] = (published.token, fresh)
        for surplus in list(_open)[:-CITIES_KEPT]:
            del _open[surplus]
    return fresh
