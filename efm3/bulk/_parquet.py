# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Tables as Parquet. Embeddings are plain, neither compressed nor in a dictionary: they hardly
become smaller, and are read faster. A row of numbers that is missing is NaN, not null: many
versions of pyarrow cannot read a null among lists of fixed size."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from efm3.arrays import Floats
from efm3.bulk import _manifest
from efm3.bulk._manifest import Manifest
from efm3.bulk._pages import Numbers, plain
from efm3.bulk._table import MAX_FIELD, NO_TABLE, NUMBERS, ROWS, TEXTS, Block, Sink, Table, merged
from efm3.bulk.row import FORMAT
from efm3.extras import need
from efm3.findings import Efm3Error, refuse
from efm3.source import open_regular
from efm3.texts import dumps

GROUP = 8 << 20
"""About the bytes of a row group, which a writer and most readers hold several times at once."""
_EMBEDDING = ("embedding", "list", "element")
KEYS = ("format", "model", "dim", "options", "version", "counts")
"""What the schema's metadata state, each after `efm3.`: text, or JSON from `dim` on."""
MORE = ("threshold", "threshold_from")
"""What else they state, as JSON, where the manifest does."""


def _schema(dim: int) -> Any:
    pa = need("pyarrow", "bulk")

    def vector(width: int) -> Any:
        return pa.list_(pa.field("element", pa.float32(), nullable=False), width)

    return pa.schema([
        pa.field("path", pa.string(), nullable=False),
        pa.field("face", pa.int32(), nullable=False),
        pa.field("embedding", vector(dim), nullable=False),
        *(pa.field(name, vector(width), nullable=False) for name, width in NUMBERS.items()),
        pa.field("score", pa.float32()),
        pa.field("error", pa.string()), pa.field("reason", pa.string())])


def _keys(manifest: Manifest) -> dict[str, str]:
    job = manifest.job
    values = (FORMAT, job.model, str(job.dim), dumps(job.options), manifest.version,
              json.dumps(manifest.counts.to_json()))
    more = {key: json.dumps(manifest.extra[key]) for key in MORE if key in manifest.extra}
    return {f"efm3.{key}": value for key, value in (*zip(KEYS, values, strict=True),
                                                    *more.items())}


def write(manifest: Manifest, table: Table) -> Iterator[bytes]:
    """The file's bytes, in pieces."""
    pa, pq = need("pyarrow", "bulk"), need("pyarrow.parquet", "bulk")
    schema = _schema(table.dim).with_metadata(_keys(manifest))
    sink = Sink()
    with pq.ParquetWriter(
            sink, schema, compression={**dict.fromkeys(TEXTS, "zstd"),
                                       **{f"{name}.list.element": "zstd" for name in NUMBERS}},
            use_dictionary=["error", "reason"], write_statistics=["path", "face", "error"],
            write_page_checksum=True) as writer:
        for block in merged(table, max(1, GROUP // (4 * table.dim + 200))):
            writer.write_table(pa.table(_arrays(pa, schema, block), schema=schema))
            yield from sink.drain()
    yield from sink.drain(1)


def _arrays(pa: Any, schema: Any, block: Block) -> list[Any]:
    out = []
    for field in schema:
        values = getattr(block, field.name)
        if field.name in ("embedding", *NUMBERS):
            # Of pyarrow's constructors this one takes a type with a name for its elements.
            flat = pa.array(np.ascontiguousarray(values).reshape(-1))
            out.append(pa.Array.from_buffers(field.type, len(values), [None], children=[flat]))
        else:
            mask = np.isnan(values) if field.name == "score" else None
            out.append(pa.array(values, field.type, mask=mask))
    return out


class ParquetTable(Table):
    """An opened Parquet file."""

    def __init__(self, path: str) -> None:
        pq = need("pyarrow.parquet", "bulk")
        self.path = path
        self._file = open_regular(path)
        try:
            found = pq.read_metadata(self._file)
            super().__init__(path, self._stated(found.metadata or {}))
            self._check(found)
            # Texts as a dictionary: a text that is repeated a billion times is kept once.
            self._pq = pq.ParquetFile(self._file, metadata=found, pre_buffer=False,
                                      read_dictionary=list(TEXTS),
                                      page_checksum_verification=True)
        except Efm3Error:
            self._file.close()
            raise
        except Exception as e:
            self._file.close()
            self._broken(e)

    def close(self) -> None:
        """Close the file."""
        self._pq.close()
        self._file.close()

    def _broken(self, e: Exception) -> None:
        self.damaged(f"no Parquet file: {e}")

    def _stated(self, found: dict[bytes, bytes]) -> Manifest:
        keys = (*KEYS, *(key for key in MORE if f"efm3.{key}".encode() in found))
        texts = [found.get(f"efm3.{key}".encode(), b"") for key in keys]
        if texts[0] != FORMAT.encode():
            refuse("B008", f"{NO_TABLE}: a Parquet file without the metadata of one", self.path,
                   str(texts[0]), FORMAT)
        if max(map(len, texts)) > _manifest.MAX_TEXT:
            self.damaged("metadata of more than 1 MiB")
        value: dict[str, Any] = {
            k: t.decode() if k in ("format", "model", "version") else json.loads(t)
            for k, t in zip(keys, texts, strict=True)}
        value.update(value.pop("counts"))
        return _manifest.parse(json.dumps({**value, "complete": True}), self.path)

    def _check(self, metadata: Any) -> None:
        schema = metadata.schema.to_arrow_schema()
        for field in _schema(self.dim):
            at = schema.get_field_index(field.name)
            found = None if at < 0 else schema.field(at).type
            if found != field.type:
                self.damaged(f"column {field.name} is {found}, not {field.type}")
        self.counted(metadata.num_rows)

    def columns(self, names: Sequence[str], rows: int = ROWS) -> Iterator[dict[str, Any]]:
        """The columns of these names, block after block."""
        at, numbers = 0, None
        others = list(names)
        try:
            if "embedding" in names and (places := plain(self._file, _EMBEDDING)) is not None:
                numbers = Numbers(self._file, places)
                # A column is there in any case, which says how many rows there are.
                others = [name for name in names if name != "embedding"] or ["face"]
            for batch in self._pq.iter_batches(min(rows, ROWS), columns=others, use_threads=False):
                out = {name: self._column(name, batch.column(name)) for name in others}
                if numbers:
                    flat = numbers.take(batch.num_rows * self.dim)
                    out["embedding"] = flat.reshape(-1, self.dim)
                at += batch.num_rows
                yield {name: out[name] for name in names}
            if numbers:
                numbers.end()
        except Efm3Error:
            raise
        except Exception as e:
            self._broken(e)
        self.counted(at)

    def _column(self, name: str, column: Any) -> Any:
        if name in TEXTS:
            return self._texts(name, column)
        if name == "face":
            return np.array(self._whole(column))
        if name == "score":
            return np.array(column.fill_null(np.nan))
        return self._vectors(column)

    def _whole(self, column: Any) -> Any:
        if column.null_count:
            self.damaged("a number is missing")
        return column

    def _texts(self, name: str, column: Any) -> list[Any]:
        words = column.dictionary.to_pylist()
        if any(len(word) > MAX_FIELD for word in words):
            self.damaged(f"a {name} of more than {MAX_FIELD} characters")
        found = [None if i is None else words[i] for i in column.indices.to_pylist()]
        if name == "path" and None in found:
            self.damaged("a path is missing")
        return found

    def _vectors(self, column: Any) -> Floats:
        """Rows of numbers."""
        flat = self._whole(self._whole(column).flatten())
        return np.array(flat).reshape(-1, column.type.list_size)
