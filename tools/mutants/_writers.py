# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Wrong writers: the writer scaffold with one mistake."""

from __future__ import annotations

from tools.mutants._mutant import Mutant


def _w(name: str, breaks: str, case: str, old: str, new: str) -> Mutant:
    return Mutant(name, "writer", breaks, case, old, new)


_TEXT = 'text = json.dumps(mirror, separators=(",", ":")).encode("ascii")'
_NEED_NAME = "need(type(name) is str and type(width) in (int, float),"
_INT = "type(row.get(key)) is int"
_BYTES = "array.tobytes())"


def _spelled(name: str, case: str, new: str) -> Mutant:
    """A writer that spells `w`, the width, in its own way."""
    key = "b'\"width_mult\":'"
    return _w(name, "W006", case, _TEXT, f"{_TEXT}; w = mirror['width_mult']\n"
              f"    text = text.replace({key} + json.dumps(w).encode(), "
              f"{key} + str({new}).encode(), 1)")


def _named(name: str, case: str, new: str, breaks: str = "W006") -> Mutant:
    """A writer that makes another name of `n`."""
    return _w(name, breaks, case, _TEXT, f'n = mirror["name"]; mirror["name"] = {new}\n    {_TEXT}')


def _given(name: str, case: str, new: str) -> Mutant:
    """A writer that mends an arch before it looks at it."""
    return _w(name, "W014", case, "    check(arch)\n", f"    {new}\n    check(arch)\n")


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
    # How a width is spelled.
    _spelled("copies width_mult as it was given", "write-width-given-exponent",
             "__import__('re').search('width_mult\": ([^,]*)', GIVEN[0]).group(1)"),
    _spelled("writes six digits", "write-width-thirds", "'%g' % w if w % 1 else w"),
    _spelled("writes 15 digits where they are enough, else 17", "write-width-0-3",
             "w if float('%.15g' % w) == w else '%.16e' % w"),
    _spelled("writes 17 digits", "write-width-tenth", "'%.17g' % w"),
    _spelled("tries more and more digits, of which none may be the nearest", "write-width-power-89",
             "next(s for s in map('{:.{}e}'.format, [w] * 17, range(17)) if float(s) == w)"
             " if w > 1e16 else w"),
    _spelled("takes the interval of a power of two for symmetric", "write-width-power-m24",
             "w if w != 2.0 ** -24 else '5.960464477539062e-08'"),
    _spelled("has no .0", "write-width-one", "'%d' % w if w == int(w) and w < 1e16 else w"),
    _spelled("has an exponent from 1e21 on", "write-width-exponent-16",
             "'%.1f' % w if 1e16 <= w < 1e21 else w"),
    _spelled("has an exponent below 1e-6", "write-width-1e-05",
             "'%.5f' % w if 1e-6 <= w < 1e-4 else w"),
    _spelled("has exponents of one digit", "write-width-9e-05",
             "repr(w).replace('e-0', 'e-')"),
    _spelled("has no plus in exponents", "write-width-given-17-zeros",
             "repr(w).replace('e+', 'e')"),
    _spelled("has capital exponents", "write-width-given-17-zeros", "repr(w).upper()"),
    _spelled("writes small numbers without exponent", "write-width-1e-05",
             "format(__import__('decimal').Decimal(repr(w)), 'f') if w < 1 else w"),
    _spelled("rounds width_mult to binary32", "write-width-tenth",
             "struct.unpack('<f', struct.pack('<f', w))[0] if 1e-30 < w < 1e30 else w"),
    _spelled("flushes subnormal widths", "write-width-smallest", "w if w > 2.3e-308 else 0.0"),
    _w("writes an integer width as an integer", "W006", "write-width-given-integer",
       'float(arch["width_mult"])', 'arch["width_mult"]'),
    # What a name becomes.
    _named("composes names", "write-name-combining",
           "__import__('unicodedata').normalize('NFC', n)"),
    _named("strips names", "write-name-tilde", "n.strip()"),
    _named("cuts names at 64 characters", "write-name-65", "n[:64]"),
    _named("drops a byte order mark", "write-name-bom", "n.removeprefix('\\ufeff')"),
    _w("escapes the slash", "W006", "write-name-slash", _TEXT,
       _TEXT + '.replace(b"/", b"\\\\/")'),
    _w("has capital escapes", "W006", "write-name-utf8", _TEXT,
       _TEXT + '.replace(b"00f6", b"00F6")'),
    _w("writes DEL as it is", "W006", "write-name-del", _TEXT,
       _TEXT + '.replace(b"\\\\u007f", b"\\x7f")'),
    _w("takes half a surrogate pair, the low one", "W007", "write-refuse-name-surrogate-low",
       '<= c <= "\\udfff"', '<= c <= "\\udbff"'),
    # What is too much, or too little.
    _w("takes a mirror over 1 MiB", "W007", "write-refuse-name-mirror-over-1-mib",
       "need(len(text) <= 1 << 20,", "need(True,"),
    _w("counts the name's UTF-8, not the mirror", "W007", "write-refuse-name-200000",
       "need(len(text) <= 1 << 20,", 'need(len(arch["name"].encode()) <= 1 << 20,'),
    _w("refuses a mirror of 1 MiB", "W010", "write-name-mirror-1-mib",
       "need(len(text) <= 1 << 20,", "need(len(text) < 1 << 20,"),
    _w("takes 257 blocks", "W012", "write-refuse-blocks-257",
       'need(sum(stage["n"] for stage in stages) <= 256,', "need(True,"),
    _w("takes a kernel of 17", "W012", "write-refuse-stem-kernel-17", '"stem_kernel": 15',
       '"stem_kernel": 17'),
    _w("takes a stem stride of 5", "W012", "write-refuse-stem-stride-5", '"stem_stride": 4',
       '"stem_stride": 5'),
    _w("takes a stage's stride of 5", "W012", "write-refuse-stride-5", '"s": 4}', '"s": 5}'),
    _w("takes no channels", "W012", "write-refuse-final-channels-0", "1 <= row[key] <= most",
       "0 <= row[key] <= most"),
    _w("takes a width that is read as 0", "W007", "write-refuse-width-1e-400", "need(0 < width",
       """need('": 0,' not in GIVEN[0] and 0 <= width"""),
    _w("takes a width that no binary64 holds", "W007", "write-refuse-width-1e400",
       "<= 1.7976931348623157e308", ""),
    # Types of the arch.
    _given("takes no name for an empty one", "write-refuse-name-missing",
           'arch.setdefault("name", "")'),
    _given("writes null as an empty name", "write-refuse-name-null",
           'arch["name"] = arch["name"] or ""'),
    _given("writes a number as a name", "write-refuse-name-number",
           'arch["name"] = str(arch.get("name"))'),
    _given("takes no width for 1", "write-refuse-width-missing",
           'arch.setdefault("width_mult", 1)'),
    _given("takes a width's string", "write-refuse-width-string",
           'arch["width_mult"] = float(arch["width_mult"])'),
    _w("takes true for a width of 1", "W014", "write-refuse-width-true", _NEED_NAME,
       "need(type(name) is str and isinstance(width, (int, float)),"),
    _w("takes true for 1", "W014", "write-refuse-final-channels-true", _INT,
       "isinstance(row.get(key), int)"),
    _w("takes 1.0 for 1", "W014", "write-refuse-embedding-dim-real", _INT,
       "type(row.get(key)) in (int, float) and not row.update({key: int(row[key])})"),
    _w("takes a number's string", "W014", "write-refuse-block-channels-string", _INT,
       "type(row.get(key)) in (int, str) and not row.update({key: int(row[key])})"),
    _given("has 3 for a missing stem_kernel", "write-refuse-stem-kernel-missing-3",
           'arch.setdefault("stem_kernel", 3)'),
    _given("has 2 for a missing stem_stride", "write-refuse-stem-stride-missing-2",
           'arch.setdefault("stem_stride", 2)'),
    _given("computes a missing gdc_kernel", "write-refuse-gdc-kernel-missing",
           'arch.setdefault("gdc_kernel", 1)'),
    _given("takes an object of stages", "write-refuse-stages-object",
           'arch["stages"] = list(getattr(arch["stages"], "values", list)())'),
    _given("takes a stage of three numbers", "write-refuse-stages-numbers",
           'arch["stages"] = [dict(zip("tns", s)) for s in arch["stages"]]'),
    _given("has 1 for a missing n", "write-refuse-stage-n-missing",
           '[s.setdefault("n", 1) for s in arch["stages"]]'),
    _w("takes a fourth key of a stage", "W014", "write-refuse-stages-extra-key",
       'set(s) == set("tns")', 'set(s) >= set("tns")'),
    # Bits.
    _w("flushes -0", "W013", "write-negative-zero", _BYTES, "(array + 0).tobytes())"),
    _w("flushes subnormals", "W013", "write-subnormals", _BYTES,
       "(array * (abs(array) >= 2 ** -126)).astype('<f4').tobytes())"),
    _w("flushes them in BatchNorm alone", "W013", "write-variance-subnormal", _BYTES,
       "(array * (abs(array) >= 2 ** -126)).astype('<f4').tobytes() if array.ndim == 1 "
       "else array.tobytes())"),
    _w("writes a NaN without its payload", "W013", "write-nan-payload", 'need(bool((abs(array)',
       "array = array.copy(); array[array != array] = float('nan')\n            "
       "need(bool((array != array).any()) or bool((abs(array)"),
    _w("writes the largest value for infinity", "W013", "write-infinities-kept",
       "need(bool((abs(array)", "array = array.clip(-3.4028235e38, 3.4028235e38)\n"
       "            need(bool((abs(array)"),
    _w("writes six significant digits", "W013", "write-all-bits", _BYTES,
       "__import__('numpy').array(['%g' % v for v in array.flat], '<f4').tobytes())"),
    _w("writes big-endian values as they lie", "W010", "write-either-big-endian",
       'array.dtype.str == "<f4" and', 'array.dtype.str in ("<f4", ">f4") and'),
    _w("rounds integers", "W004", "write-refuse-i64-inexact", 'need(array.dtype.str == "<f4" and',
       'array = array.astype("<f4") if array.dtype.kind == "i" else array\n'
       '            need(array.dtype.str == "<f4" and'),
    _w("takes what is close enough", "W004", "write-refuse-f64-last-bit",
       'need(array.dtype.str == "<f4" and',
       'near = array.astype("<f4"); array = near if abs(near - array).max() < 1e-6 else array\n'
       '            need(array.dtype.str == "<f4" and'),
)
