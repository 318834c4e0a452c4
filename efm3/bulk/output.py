# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The output of a bulk run: parts while it goes on, one table in the end, whatever happens.

While a run lasts its rows lie in a folder of parts, each written atomically; a manifest there says
whose they are. From the moment that this manifest stands there the folder has all rows, those of
an earlier table too, and the table at the output's own name does not count. It counts again when
the manifest is taken away, after the parts were joined. So a run may be killed at any moment. A run
that starts anew writes the manifest first of all, so that nothing goes on with the earlier table.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from efm3.bulk import _manifest, _wrote
from efm3.bulk._done import Done, clean, portions
from efm3.bulk._lines import BESIDE, names_rows
from efm3.bulk._manifest import Counts, Manifest
from efm3.bulk._npy import ROWS_BESIDE
from efm3.bulk._parts import MANIFEST, TEMPORARY, PartsTable, Store, counted, sweep
from efm3.bulk._table import Held, Table, counts_of, sound
from efm3.bulk.row import COLUMNS, Job, Row
from efm3.bulk.tables import FORMS, Form, form_of
from efm3.extras import need
from efm3.findings import Efm3Error, printable, refuse
from efm3.source import Unreadable, write_atomic

PARTS = ".parts"
"""After the name of a table: the name of the folder of its parts."""
JOINING = "joining"
"""In the manifest of parts: what stands at the output's name may be of them already."""


def open_output(path: str, job: Job, *, resume: bool = False, force: bool = False,
                part_rows: int = 8192, part_seconds: float = 30) -> Output:
    """The output at `path`, for this run alone; a context manager.

    `path` ends in a form's name (tables.FORMS), or is a folder: it ends in /, or holds a manifest.
    `resume` goes on with what a run of the same job left there, complete or not; `force` starts
    anew, and the earlier table stays until the new one is whole. A part is written when it has
    `part_rows` rows, or is `part_seconds` old.

    Raises Efm3Error B001 to B008, and X002 where Parquet needs pyarrow; ValueError for resume
    together with force.
    """
    if resume and force:
        raise ValueError("resume, or force: not both")
    output = Output(path, job, part_rows, part_seconds)
    with output._writing():
        output._open(resume, force)
    return output


class Output:
    """Made by open_output(). `done` is what an earlier run wrote, `added` counts the pictures of
    this one."""

    def __init__(self, path: str, job: Job, part_rows: int, part_seconds: float) -> None:
        self.path, self.job, self.done, self.added = path, job, Done(), 0
        self._limits = part_rows, part_seconds
        self._form: Form | None = None
        folder = os.path.isdir(path) and os.path.lexists(os.path.join(path, MANIFEST))
        self._in_place = folder or path.endswith(("/", os.sep))
        if not self._in_place:
            self._form = form_of(path)
        end = self._form.parts if self._form else ".parquet"
        if end == ".parquet":
            need("pyarrow", "bulk")
        self._part_form = FORMS[end]
        self._store = Store(path if self._in_place else path + PARTS, self._part_form.open, end)
        self._rows: list[Row] = []
        self._pictures = 0
        self._since = 0.0
        self._counts = Counts()
        self._next = 0
        self._base: Table | None = None
        self._whole: Manifest | None = None
        self._begun = self._ended = self._made = self._joining = False

    # Opening

    def _open(self, resume: bool, force: bool) -> None:
        self._check_names()
        self._made = self._make_folder()
        try:
            if not self._store.lock():
                refuse("B005", "another run writes to it; wait for its end, or choose another name",
                       self.path)
            try:
                self._look(resume, force)
            except BaseException:
                self._store.unlock()
                raise
        except BaseException:
            if self._made:
                with contextlib.suppress(OSError):
                    os.rmdir(self._store.folder)
            raise

    def _check_names(self) -> None:
        """What would fail at the end of a long run, a name too long or a folder, fails now."""
        if self._in_place:
            return
        for name in (self.path, self.path + BESIDE, self.path + ROWS_BESIDE):
            if os.path.islink(name):
                refuse("B006", "it is a link: a table and what stands beside it are of one folder; "
                       "give the name of the file itself", name)
        if os.path.exists(self.path) and not os.path.isfile(self.path):
            refuse("B006", "it is there, and is no regular file", self.path)
        folder, base = os.path.split(os.path.abspath(self.path))
        for name in (base + BESIDE, base + ROWS_BESIDE, f".{base[:200]}.{'0' * 16}.tmp"):
            with contextlib.suppress(FileNotFoundError):
                os.lstat(os.path.join(folder, name))

    def _make_folder(self) -> bool:
        try:
            os.mkdir(self._store.folder)
        except FileExistsError:
            if not os.path.isdir(self._store.folder):
                refuse("B006", "it stands where the folder of parts belongs, and is no folder",
                       self._store.folder)
            return False
        return True

    def _look(self, resume: bool, force: bool) -> None:
        """Decide by what is there; the folder is locked."""
        store, found = self._store, self._found()
        table = not self._in_place and os.path.exists(self.path)
        if found is None and (names := store.foreign()):
            refuse("B006", f"a folder that is no bulk run's, with {printable(names[0])} in it",
                   store.folder, printable(names[0]), MANIFEST)
        numbers = store.numbers()
        self._joining = bool(found and found.extra.get(JOINING))
        if not (resume and not found):  # else it is opened, which tells more
            self._keep_foreign()
        if not (resume or force) and (found or table or numbers):
            what = "is there already" if table or (found and found.complete) else \
                "has the parts of a run that did not end"
            refuse("B001", f"it {what}: --resume goes on with it, --force writes it anew",
                   self.path)
        if numbers and not (found or table or force):
            refuse("B006", f"a folder of parts without {MANIFEST}; --force writes it anew",
                   store.folder, "parts", MANIFEST)
        self._sweep()
        if found and not force:
            _manifest.same_job(found.job, self.job, self.path)
            self._resume(found)
        elif table and not force:
            self._add_to_table()
        else:
            store.clear()
            if force:
                self._begin()

    def _keep_foreign(self) -> None:
        """Refuse to replace a file that is no bulk run's."""
        if self._form is None or self._joining:
            return
        if not os.path.exists(self.path):
            self._keep_beside()
            return
        with contextlib.suppress(Efm3Error, OSError):
            stated = self._beside().extra
            if (_wrote.same_length(self.path, stated.get(_wrote.TABLE)) and (
                    not self._form.beside or os.path.exists(self.path + ROWS_BESIDE))):
                return
        if self._form is self._part_form:  # a form that needs no manifest
            with contextlib.suppress(Efm3Error, OSError):
                self._form.open(self.path).close()
                return
        refuse("B006", "it is there, and is no table of a bulk run, or was changed since: nothing "
               "but tables is written anew; remove it by hand, or choose another name", self.path)

    def _keep_beside(self) -> None:
        """The same of what would stand beside the table, which is not there yet."""
        kept = self.path + BESIDE
        with contextlib.suppress(Efm3Error, FileNotFoundError):
            if os.path.lexists(kept):
                self._beside()
            kept = self.path + ROWS_BESIDE
            if not (self._form and self._form.beside and os.path.lexists(kept)) or names_rows(kept):
                return
        refuse("B006", "it would stand beside the table, and is no bulk run's", kept)

    def _beside(self) -> Manifest:
        return _manifest.load(self.path + BESIDE)

    def _unchanged(self) -> None:
        """Refuse a finished table that is not as it was written, before any work."""
        if os.path.lexists(self.path + BESIDE):
            stated = self._beside().extra
            _wrote.unchanged(self.path, stated.get(_wrote.TABLE))
            if self._form and self._form.beside:
                _wrote.unchanged(self.path + ROWS_BESIDE, stated.get(_wrote.ROWS))

    def _add_to_table(self) -> None:
        assert self._form is not None
        base = self._form.open(self.path)
        try:
            _manifest.same_job(base.manifest.job, self.job, self.path)
            self._unchanged()
            self._store.clear()  # parts without a manifest were joined before
            self._counts = base.manifest.counts
            self.done = Done(base, self._counts)
        except BaseException:
            base.close()
            raise
        self._base, self._whole = base, base.manifest

    def _found(self) -> Manifest | None:
        try:
            return self._store.manifest()
        except (Efm3Error, OSError) as e:
            path = self._store.at(MANIFEST)
            why = e.finding.message if isinstance(e, Efm3Error) else \
                str(e).removeprefix(f"{path}: ")
            refuse("B006", f"no bulk run's: {printable(why)}", path)

    def _resume(self, found: Manifest) -> None:
        numbers = self._store.numbers()
        self._next = numbers[-1] + 1 if numbers else 0
        self._counts = counted(self._store.parts(), self._store.open, found)
        rows, stated = self._counts.rows, found.counts.rows
        if found.complete and rows > stated:
            refuse("B008", f"its parts have {rows} rows and its manifest states {stated}: there "
                   "is a part that no run wrote", self._store.folder, str(rows), str(stated))
        if self._form:  # the parts are joined in the end: damage is told before any work
            for _ in self._parts().columns(COLUMNS):
                pass
        self.done = Done(self._parts(), self._counts)
        if found.complete and self._counts == found.counts:
            self._whole = found
        self._begun = not found.complete

    def _sweep(self) -> None:
        """Remove what a killed run was writing."""
        self._store.sweep()
        if not self._in_place:
            folder, base = os.path.split(os.path.realpath(self.path))
            names = (re.escape((base + end)[:200]) for end in ("", BESIDE, ROWS_BESIDE))
            sweep(folder, re.compile(TEMPORARY.format(f"(?:{'|'.join(names)})")))

    def _parts(self) -> PartsTable:
        return PartsTable(self._store.folder, Manifest(self.job, self._counts),
                          self._store.parts(), self._store.open)

    # Writing

    def add(self, rows: Sequence[Row]) -> None:
        """All rows of one picture, their faces ascending.

        An embedding that is not finite becomes an error row, F008. Raises Efm3Error B003, and
        ValueError for rows that are not one picture's.
        """
        if not rows or any(r.path != rows[0].path or r.face <= last.face
                           for last, r in pairwise(rows)):
            raise ValueError("rows of one picture, at least one, their faces ascending")
        if not self._rows:
            self._since = time.monotonic()
        self._rows.extend([self._checked(row) for row in rows])
        self._pictures += 1
        most, seconds = self._limits
        if len(self._rows) >= most or time.monotonic() - self._since >= seconds:
            with self._writing():
                self._flush()

    def _checked(self, row: Row) -> Row:
        row = row._replace(path=clean(row.path), reason=row.reason and clean(row.reason))
        if row.error is not None:
            return row._replace(embedding=None)
        if row.embedding is None or np.shape(row.embedding) != (self.job.dim,):
            raise ValueError(f"an embedding of {self.job.dim} numbers, or an error")
        return row

    def _flush(self) -> None:
        """Write the rows that are held as a part."""
        if not self._rows:
            return
        self._begin()
        counts = self._write_part(self._rows, self._pictures)
        # Together: until then the same part is written again, and no row doubled.
        (self._rows, self._pictures, self._next, self._counts, self.added) = (
            [], 0, self._next + 1, self._counts + counts, self.added + self._pictures)

    def _write_part(self, rows: list[Row], pictures: int) -> Counts:
        rows, block = sound(rows, self.job.dim)
        counts = counts_of(rows, pictures)
        held = Held(Manifest(self.job, counts, complete=True), block)
        write_atomic(self._store.part(self._next), self._part_form.write(held.manifest, held))
        return counts

    def _begin(self) -> None:
        """Before the first part: from here on the folder has all rows."""
        if self._begun:
            return
        if self._base is not None:
            self._take_over(self._base)
        self._write_unfinished()
        self._begun = True

    def _take_over(self, base: Table) -> None:
        """The rows of the finished table become the first parts."""
        self._next = 0
        if self._form is self._part_form:
            part = self._store.part(0)
            try:
                os.link(os.path.realpath(self.path), part)
            except OSError:
                write_atomic(part, _wrote.pieces(self.path))  # a place without hard links
            self._next = 1
            return
        for rows, pictures in portions(base, self._limits[0]):
            self._write_part(rows, pictures)
            self._next += 1

    def _write_unfinished(self) -> None:
        self._write_manifest(Manifest(self.job, self._counts,
                                      extra={JOINING: True} if self._joining else {}))

    def _write_manifest(self, manifest: Manifest) -> None:
        write_atomic(self._store.at(MANIFEST), [manifest.text().encode()])

    # Ending

    def finish(self, extra: Mapping[str, Any]) -> dict[str, Any]:
        """Write the table and its manifest, with `extra` in it, and return the manifest.

        A finished table to which nothing was added stays as it is. Raises Efm3Error B003 and B007.
        """
        with self._writing():
            self._flush()
            if self._whole is not None and not self._begun:
                manifest = self._whole
            else:
                manifest = self._join(Manifest(self.job, self._counts, True, extra=extra))
            self._end()
        return manifest.to_json()

    def _join(self, manifest: Manifest) -> Manifest:
        """The manifest is away while the files change: what is not of one run is never a table."""
        if self._form is None:
            self._write_manifest(manifest)
            return manifest
        self._release()
        self._keep_foreign()
        form, table, wrote, rows = self._form, self._parts(), _wrote.Wrote(), _wrote.Wrote()

        def away(_: str) -> None:
            if not self._joining:
                self._joining = True
                self._write_unfinished()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path + BESIDE)

        def beside(temporary: str) -> None:
            if form.beside:
                write_atomic(self.path + ROWS_BESIDE, rows.through(form.beside(table)), away)
            else:
                away(temporary)

        write_atomic(self.path, wrote.through(form.write(manifest, table)), beside)
        stated = {_wrote.TABLE: wrote.to_json()}
        if form.beside:
            stated[_wrote.ROWS] = rows.to_json()
        manifest = replace(manifest, extra={**manifest.extra, **stated})
        write_atomic(self.path + BESIDE, [manifest.text().encode()])
        self._store.clear()
        self._begun = False
        return manifest

    def _release(self) -> None:
        """Close what earlier rows were read from: Windows replaces and removes no open file."""
        self.done.close()
        if self._base is not None:
            self._base.close()

    def _end(self) -> None:
        """Give everything back. A folder of parts that has none is taken away."""
        self._ended = True
        self._release()
        if self._base is not None and not self._begun:
            self._store.clear()  # what it was to be added to stands at its own name
        self._store.unlock()
        if self._made or not self._in_place:
            with contextlib.suppress(OSError):
                os.rmdir(self._store.folder)

    def __enter__(self) -> Output:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Without finish(): write what is held, so that a later run can go on."""
        if self._ended:
            return
        try:
            with self._writing():
                self._flush()
                if self._begun:
                    self._write_unfinished()
        except Efm3Error:
            if kind is None:
                raise
        finally:
            self._end()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """The system's refusals as ours."""
        try:
            yield
        except Unreadable:
            raise
        except OSError as e:
            stays = "; what is written stays, --resume goes on" if self._begun else ""
            refuse("B003", f"cannot be written: {e.strerror or e}{stays}", self.path)
