# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Wrong writers, the writer scaffold with one mistake, and wrong editors."""

from __future__ import annotations

from tools.mutants._mutant import Mutant


def _w(name: str, breaks: str, case: str, old: str, new: str) -> Mutant:
    return Mutant(name, "writer", breaks, case, old, new)


def _d(name: str, breaks: str, case: str, old: str, new: str) -> Mutant:
    return Mutant(name, "editor", breaks, case, old, new)


WRITERS = (
    _w("writes the number of values as size", "W010", "write-plain",
       'struct.pack("<I", array.nbytes)', 'struct.pack("<I", array.size)'),
    _w("writes big-endian sizes", "W010", "write-plain", 'struct.pack("<I", array.nbytes)',
       'struct.pack(">I", array.nbytes)'),
    _w("sorts the mirror's keys", "W006", "write-plain",
       'json.dumps(mirror, separators=(",", ":"))',
       'json.dumps(mirror, separators=(",", ":"), sort_keys=True)'),
    _w("writes spaces into the mirror", "W006", "write-plain",
       'json.dumps(mirror, separators=(",", ":"))', "json.dumps(mirror)"),
    _w("writes UTF-8 where escapes belong", "W006", "write-name-utf8",
       'json.dumps(mirror, separators=(",", ":")).encode("ascii")',
       'json.dumps(mirror, separators=(",", ":"), ensure_ascii=False).encode()'),
    _w("writes bn.var before bn.mean", "W010", "write-plain", '"bn.mean", "bn.var"',
       '"bn.var", "bn.mean"'),
    _w("leaves expand out where t is 1", "W010", "write-t-1",
       '            layer(f"stage{i}.block{j}.expand", wide, c, 1)\n',
       '            if stage["t"] > 1:\n'
       '                layer(f"stage{i}.block{j}.expand", wide, c, 1)\n'),
    _w("swaps final_channels and embedding_dim", "W010", "write-plain",
       'arch["stem_stride"], *own)', 'arch["stem_stride"], *own[:2], own[3], own[2], own[4])'),
    _w("forgets the stem's kernel", "W010", "write-stem-5",
       'len(stages), arch["stem_kernel"],', "len(stages), 3,"),
    _w("does not miss a tensor", "W001", "write-refuse-missing-last",
       'need(f"{name}.{part}" in tensors, f"{name}.{part} is missing")',
       'tensors.setdefault(f"{name}.{part}", __import__("numpy").zeros(shape, "<f4"))'),
    _w("drops unknown tensors", "W002", "write-refuse-extra",
       "need(len(table) == len(tensors),", "need(True,"),
    _w("reshapes what comes", "W003", "write-refuse-transposed",
       "need(array.shape == shape,", "need(array.size == __import__('math').prod(shape),"),
    _w("rounds float64", "W004", "write-refuse-f64", 'need(array.dtype.str == "<f4" and',
       'array = array.astype("<f4"); need(True or'),
    _w("writes infinities", "W005", "write-refuse-infinity",
       "need(bool((abs(array) < float(\"inf\")).all()),", "need(True,"),
    _w("leaves a file where it refuses", "W011", "write-refuse-short",
       "    check(arch)\n", "    check(arch)\n    LEFT.append(1)\n"),
    _w("writes an even kernel", "W012", "write-refuse-stem-kernel-4",
       'need(arch["stem_kernel"] % 2 == 1,', "need(True,"),
    _w("does not compare gdc_kernel with the map", "W012", "write-refuse-gdc-kernel",
       'need(arch["gdc_kernel"] == side,', "need(True,"),
    _w("writes a NUL into the name", "W007", "write-refuse-name-nul",
       'need(not any(c == "\\0" or', "need(not any("),
)

EDITORS = (
    _d("drops unknown keys", "D002", "edit-unknown-key", "mirror = parse(data[92:end])",
       'mirror = {k: v for k, v in parse(data[92:end]).items() if k != "author"}'),
    _d("reads weights as numbers", "D001", "edit-nan", "table = bytes(new[end + 4:])",
       'new = new.replace(b"\\x34\\x12\\xc0\\x7f", b"\\0\\0\\xc0\\x7f")\n'
       "    table = bytes(new[end + 4:])"),
    _d("keeps a stale digest", "D003", "edit-sealed-value", 'if "sha256" in own:', "if False:"),
    _d("edits what is invalid", "D004", "edit-refuse-digest", 'read(data, "coherence")',
       'read(data, "structure")'),
    _d("does nothing", "D002", "edit-meta", "return out", "return data"),
)
