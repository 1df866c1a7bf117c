"""The tables of this room, on every store."""

from __future__ import annotations

from madang.hub.tables import script

# Times in microseconds since 1970, `modified_us` and `seq` as in `instances.Instance`.
# `history_past` holds what clients wrote into history itself, and corrections; `history_entity` the entities known only
# from there. `history_hidden` takes effect on reading at once: what it names is taken out of files afterwards.
_TABLES = """
CREATE TABLE history_mark (name TEXT PRIMARY KEY, value {integer} NOT NULL){strict};
CREATE TABLE history_file (id {serial}, tenant {integer} NOT NULL, types TEXT NOT NULL, day TEXT NOT NULL,
    path TEXT NOT NULL UNIQUE, rows {integer} NOT NULL, bytes {integer} NOT NULL, digest TEXT NOT NULL,
    min_observed_us {integer}, max_observed_us {integer}, min_modified_us {integer} NOT NULL,
    max_modified_us {integer} NOT NULL, min_created_us {integer} NOT NULL, max_created_us {integer} NOT NULL,
    deletions {integer} NOT NULL, gone_ms {integer}){strict};
CREATE INDEX history_file_by_day ON history_file (tenant, day);
CREATE TABLE history_entity (tenant {integer} NOT NULL, id TEXT NOT NULL, types TEXT NOT NULL,
    PRIMARY KEY (tenant, id)){strict};
CREATE TABLE history_past (seq {integer} NOT NULL, place {integer} NOT NULL, tenant {integer} NOT NULL,
    entity TEXT NOT NULL, types TEXT NOT NULL, attribute TEXT NOT NULL, body TEXT NOT NULL,
    created_us {integer} NOT NULL, modified_us {integer} NOT NULL, PRIMARY KEY (seq, place)){strict};
CREATE INDEX history_past_by_entity ON history_past (tenant, entity);
CREATE TABLE history_hidden (id {serial}, tenant {integer} NOT NULL, entity TEXT NOT NULL, attribute TEXT NOT NULL,
    dataset TEXT NOT NULL, seq {integer} NOT NULL, place {integer} NOT NULL, past {integer} NOT NULL){strict};
CREATE INDEX history_hidden_by_entity ON history_hidden (tenant, entity);
"""


def tables(dialect: str) -> str:
    """The DDL for `sqlite` or `postgresql`."""
    return script(_TABLES, dialect)
