"""Recent history into files, files into fewer files, and out of both what is to be forgotten.

Each step leaves a state that counts: a file is written under another name, made durable, renamed, and counts only from
the store's transaction on that names it and moves the mark of what lies in files. A crash in between leaves a file
nobody speaks of; the next run removes it. One process does this at a time (the store's lease).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from madang.hub.config import HubConfig
from madang.hub.history import files as parquet_files
from madang.hub.history import rows
from madang.hub.history.engine import Engine, append, make_table
from madang.hub.history.instances import COLUMNS, Instance, flatten
from madang.hub.history.rows import Hidden, HistoryFile
from madang.hub.history.selection import is_hidden, note_hidden, stored
from madang.hub.store import Store, WriteTx
from madang.journal.session import Session
from madang.kernel.clock import Clock

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

log = logging.getLogger("madang.hub.history")

_SLICE = 50_000
_DAY_US = 86_400_000_000
_DAY_MS = 86_400_000
_TIER = 8
_SMALL = 20_000
_AT_ONCE = 500
_LIMIT_S = 600.0
_NAMES = ", ".join(COLUMNS)


class _ChangedMeanwhileError(Exception):
    """What was to be rolled is not as it was read; the slice is done again."""


@dataclass(frozen=True, slots=True)
class _Slice:
    """Changes on their way into files: those after `mark` up to `last`, and what clients wrote."""

    tenant: int
    mark: int
    last: int
    past: Sequence[Instance]
    many: int


def _no_step(_name: str) -> None:
    """Tests stop the process at named steps."""


class Roller:
    """Rolls, merges, forgets. `step` is called with the name of each step that a crash may follow."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        directory: Path,
        config: HubConfig,
        clock: Clock,
        step: Callable[[str], None] = _no_step,
    ) -> None:
        self._store, self._engine, self._directory = store, engine, directory
        self._config, self._clock, self.step = config, clock, step
        self._busy = asyncio.Lock()

    async def keep(self) -> int:
        """One round: rolls what is due, merges, forgets what retention says. How many changes were rolled."""
        async with self._busy:
            await self._sweep()
            now_ms = self._now_ms()
            rolled = 0
            for tenant in await self._store.read(rows.tenants):
                rolled += await self._roll(tenant, await self._until_ms(tenant, now_ms))
                await self._expire(tenant, now_ms)
                await self._settle(tenant)
                await self._merge(tenant, now_ms - int(self._config.history_hot_s * 1_000))
            await self._unlink(now_ms - int(self._config.history_grace_s * 1_000))
            return rolled

    async def roll_all(self) -> int:
        """Rolls everything there is."""
        async with self._busy:
            await self._sweep()
            until = self._now_ms() + _DAY_MS
            return sum([await self._roll(tenant, until) for tenant in await self._store.read(rows.tenants)])

    async def settle(self, tenant: int) -> None:
        """Takes what is hidden out of rows and files now, and removes the files it was in."""
        async with self._busy:
            await self._settle(tenant)
            await self._unlink(self._now_ms() + 1)

    async def copy_after(self, first: Awaitable[None], target: Path) -> None:
        """Awaits a copy of the store, then copies the files it lists; nothing is exchanged meanwhile."""
        async with self._busy:
            await first
            await asyncio.to_thread(parquet_files.copy, self._directory, target)

    def _now_ms(self) -> int:
        return int(self._clock().timestamp() * 1_000)

    async def _sweep(self) -> None:
        epoch = await self._store.read(rows.epoch)
        await asyncio.to_thread(parquet_files.own, self._directory, epoch)
        known = await self._store.read(rows.paths)
        if removed := await asyncio.to_thread(parquet_files.sweep, self._directory, known):
            log.warning("removed %d history files that a crash had left unfinished", removed)

    # Rolling.

    async def _until_ms(self, tenant: int, now_ms: int) -> int:
        """Changes made before this are due: all but the last few seconds' where very many wait."""
        enough = self._config.history_hot_rows

        def many(session: Session) -> bool:
            return rows.waiting(session, tenant, rows.mark(session, tenant), enough) >= enough

        return now_ms - (5_000 if await self._store.read(many) else int(self._config.history_hot_s * 1_000))

    async def _roll(self, tenant: int, until_ms: int) -> int:
        total = 0
        while True:
            cursor, piece = await self._store.read(partial(self._gather, tenant, until_ms))
            try:
                if piece.last == piece.mark and not piece.past:
                    return total
                made = await self._engine.run(cursor, partial(self._write, tenant), _LIMIT_S)
            finally:
                cursor.close()
            await self._commit(piece, made)
            total += piece.many
            log.info("rolled %d changes of tenant %d into %d files", piece.many, tenant, len(made))

    def _gather(self, tenant: int, until_ms: int, session: Session) -> tuple[DuckDBPyConnection, _Slice]:
        mark = last = rows.mark(session, tenant)
        hidden = by_entity(rows.hidden(session, tenant))
        cursor, many = self._engine.cursor(), 0
        make_table(cursor, "slice")
        while many < _SLICE and (found := rows.due(session, tenant, last, until_ms, rows.PAGE)):
            flat = (one for row in found for one in flatten(row[1], row[2], row[3], row[4], row[0], bytes(row[5])))
            append(cursor, "slice", (one for one in flat if not hides(hidden, one)))
            last, many = found[-1][0], many + len(found)
        past = rows.past(session, tenant, until_us=until_ms * 1_000)[:_SLICE]
        append(cursor, "slice", past)
        return cursor, _Slice(tenant, mark, last, past, many)

    def _write(self, tenant: int, cursor: DuckDBPyConnection) -> list[HistoryFile]:
        groups = cursor.execute(f"SELECT DISTINCT types, modified_us // {_DAY_US} FROM slice ORDER BY ALL").fetchall()  # noqa: S608
        made = []
        for types, day in groups:
            part = f"SELECT * FROM slice WHERE types = ? AND modified_us // {_DAY_US} = ?"  # noqa: S608 -- constants
            cursor.execute(f"CREATE OR REPLACE TEMP TABLE part AS {part}", [types, day])
            day_text = rows.day_of(day * _DAY_US)
            file = parquet_files.write(cursor, "part", self._directory, tenant, types, day_text, self.step)
            if file is not None:
                made.append(file)
        return made

    async def _commit(self, piece: _Slice, made: Sequence[HistoryFile]) -> None:
        def commit(tx: WriteTx) -> None:
            if rows.mark(tx.session, piece.tenant) != piece.mark:
                raise _ChangedMeanwhileError
            for file in made:
                rows.add_file(tx.session, file)
            rows.set_mark(tx.session, piece.tenant, piece.last)
            for one in piece.past:
                if not rows.drop_past(tx.session, one.seq, one.place, one.modified_us):
                    raise _ChangedMeanwhileError

        await self._exchange(commit, made)
        self.step("committed")

    async def _exchange(self, commit: Callable[[WriteTx], None], made: Iterable[HistoryFile]) -> bool:
        """Lets files count, or removes them when the store has moved on."""
        try:
            await self._store.write(commit)
        except _ChangedMeanwhileError:
            log.info("history changed while it was rolled; trying again")
            await asyncio.to_thread(parquet_files.remove, self._directory, [file.path for file in made])
            return False
        return True

    # Merging: the files of a past day become one; of the present day, eight of a size become one of the next.

    async def _merge(self, tenant: int, until_ms: int) -> None:
        for group in mergeable(await self._store.read(lambda session: rows.files(session, tenant)), until_ms):
            await self._rewrite(tenant, group)

    async def _rewrite(self, tenant: int, group: Sequence[HistoryFile]) -> None:
        """Replaces files by one without what is hidden."""
        hidden = await self._store.read(lambda session: rows.hidden(session, tenant))
        cursor = self._engine.cursor()
        try:
            made = await self._engine.run(cursor, partial(self._written_again, group, hidden), _LIMIT_S)
        finally:
            cursor.close()

        def commit(tx: WriteTx) -> None:
            if not all(rows.supersede(tx.session, file.id, tx.at_ms) for file in group):
                raise _ChangedMeanwhileError
            for file in made:
                rows.add_file(tx.session, file)

        await self._exchange(commit, made)
        self.step("rewritten")

    def _written_again(
        self, group: Sequence[HistoryFile], hidden: Sequence[Hidden], cursor: DuckDBPyConnection
    ) -> list[HistoryFile]:
        source = stored(str(self._directory), group)
        if hidden:
            note_hidden(cursor, hidden)
            source = f"{source} f WHERE NOT {is_hidden('f')}"
        first = group[0]
        file = parquet_files.write(cursor, source, self._directory, first.tenant, first.types, first.day, self.step)
        return [file] if file is not None else []

    # Forgetting.

    async def _settle(self, tenant: int) -> None:
        hidden = await self._store.read(lambda session: rows.hidden(session, tenant))
        if not hidden:
            return
        for one in hidden:
            if one.place < 0:
                await self._blank(tenant, one)
        for file in await self._affected(tenant, hidden):
            await self._rewrite(tenant, [file])

        def forget(tx: WriteTx) -> None:
            mark = rows.mark(tx.session, tenant)
            for one in hidden:
                if one.place < 0 or one.seq <= mark:
                    rows.unhide(tx.session, one.id)

        await self._store.write(forget)

    async def _blank(self, tenant: int, one: Hidden) -> None:
        after = rows.base(tenant)
        while True:
            found = await self._store.read(partial(rows.to_blank, tenant=tenant, one=one, after=after))
            changed = [(body, seq) for seq, body in found.changed]
            for start in range(0, len(changed), _AT_ONCE):
                await self._store.write(partial(_blanked, changed[start : start + _AT_ONCE]))
            if found.last is None:
                return
            after = found.last

    async def _affected(self, tenant: int, hidden: Sequence[Hidden]) -> list[HistoryFile]:
        """The files that hold something hidden."""
        there = await self._store.read(lambda session: rows.files(session, tenant))
        if not there:
            return []

        def look(cursor: DuckDBPyConnection) -> list[HistoryFile]:
            note_hidden(cursor, hidden)
            found = []
            for file in there:
                source = f"{stored(str(self._directory), [file])} f WHERE {is_hidden('f')}"
                if cursor.execute(f"SELECT 1 FROM {source} LIMIT 1").fetchall():  # noqa: S608 -- constants
                    found.append(file)
            return found

        cursor = self._engine.cursor()
        try:
            return await self._engine.run(cursor, look, _LIMIT_S)
        finally:
            cursor.close()

    async def _expire(self, tenant: int, now_ms: int) -> None:
        """Retention (days by type) reaches rows and files."""
        config = self._config
        if not config.history_keep_days and not config.history_keep_days_of:
            return
        known = await self._store.read(lambda session: rows.all_types(session, tenant))
        for days, kinds in by_days(config, known):
            await self._expire_kinds(tenant, kinds, now_ms - int(days * _DAY_MS))

    async def _expire_kinds(self, tenant: int, kinds: list[str], before_ms: int) -> None:
        while seqs := await self._store.read(lambda s: rows.expired(s, tenant, kinds, before_ms, _AT_ONCE)):
            await self._store.write(partial(_all_blanked, seqs))
        there = await self._store.read(lambda session: rows.files(session, tenant))
        old = [one for one in there if one.types in kinds and one.max_modified_us < before_ms * 1_000]

        def drop(tx: WriteTx) -> None:
            rows.expire_past(tx.session, tenant, kinds, before_ms * 1_000)
            for file in old:
                rows.supersede(tx.session, file.id, tx.at_ms)

        await self._store.write(drop)
        if old:
            log.info("dropped %d history files older than retention allows", len(old))

    async def drop_files(self, tenant: int, takes: Callable[[HistoryFile], bool]) -> None:
        """Lets files count no more."""
        async with self._busy:
            there = [one for one in await self._store.read(lambda s: rows.files(s, tenant)) if takes(one)]

            def drop(tx: WriteTx) -> None:
                for file in there:
                    rows.supersede(tx.session, file.id, tx.at_ms)

            await self._store.write(drop)
            await self._unlink(self._now_ms() + 1)

    async def _unlink(self, before_ms: int) -> None:
        gone = [one for one in await self._store.read(rows.gone_files) if (one.gone_ms or 0) <= before_ms]
        if not gone:
            return
        await asyncio.to_thread(parquet_files.remove, self._directory, [file.path for file in gone])
        self.step("unlinked")

        def forget(tx: WriteTx) -> None:
            for file in gone:
                rows.forget_file(tx.session, file.id)

        await self._store.write(forget)


def _blanked(changed: Sequence[tuple[bytes, int]], tx: WriteTx) -> None:
    tx.session.executemany("UPDATE change SET body = ? WHERE seq = ?", changed)


def _all_blanked(seqs: Sequence[int], tx: WriteTx) -> None:
    rows.blank_all(tx.session, seqs)


def by_entity(hidden: Iterable[Hidden]) -> dict[str, list[Hidden]]:
    """What is hidden, by entity; `""` for what is hidden of all."""
    found: dict[str, list[Hidden]] = {}
    for one in hidden:
        found.setdefault(one.entity, []).append(one)
    return found


def hides(hidden: dict[str, list[Hidden]], one: Instance) -> bool:
    """Whether an instance is hidden."""
    if not hidden:
        return False
    return any(rule.hides(one) for rule in (*hidden.get(one.entity, ()), *hidden.get("", ())))


def mergeable(files: Iterable[HistoryFile], until_ms: int) -> list[list[HistoryFile]]:
    """Groups of files to become one each."""
    found = []
    ordered = sorted(files, key=lambda file: (file.types, file.day))
    for (_, day), listed in groupby(ordered, key=lambda file: (file.types, file.day)):
        group = [*listed]
        if len(group) > 1 and day < rows.day_of(until_ms * 1_000):
            found.append(group)
        else:
            by_tier: dict[int, list[HistoryFile]] = {}
            for file in group:
                by_tier.setdefault(_tier(file.rows), []).append(file)
            found.extend(tier for tier in by_tier.values() if len(tier) >= _TIER)
    return found


def _tier(many: int) -> int:
    tier = 0
    while many > _SMALL:
        many //= _TIER
        tier += 1
    return tier


def by_days(config: HubConfig, known: Iterable[str]) -> list[tuple[float, list[str]]]:
    """Texts of types by how many days their history is kept; of several types the shortest counts."""
    found: dict[float, list[str]] = {}
    for types in known:
        said = [config.history_keep_days_of[one] for one in types.split("\n") if one in config.history_keep_days_of]
        days = min(said, default=config.history_keep_days)
        if days > 0:
            found.setdefault(days, []).append(types)
    return sorted(found.items())
