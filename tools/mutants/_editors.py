# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Wrong editors: the editor scaffold with one mistake."""

from __future__ import annotations

from tools.mutants._mutant import Mutant


def _d(name: str, breaks: str, case: str, old: str, new: str) -> Mutant:
    return Mutant(name, "editor", breaks, case, old, new)


_PARSE = "mirror = parse(data[92:end])"
_OWN = 'own = mirror.get("meta", {}) | meta'
_ROWS = "    for row in values:\n"
_TABLE = "table = bytes(new[end + 4:])"
_LAST = '    read(out, "coherence")  # no edit'
_NUMBER = 'need(type(value) in (int, float), f"{value!r} is not a number")'
_PACKED = 'packed = struct.pack("<f", value)'

EDITORS = (
    _d("does nothing", "D002", "edit-meta", "return out", "return data"),
    # What stays.
    _d("drops unknown keys", "D002", "edit-unknown-key", _PARSE,
       'mirror = {k: v for k, v in parse(data[92:end]).items() if k != "author"}'),
    _d("drops __proto__", "D002", "edit-key-kept-proto", _PARSE,
       _PARSE + '; mirror.pop("__proto__", None)'),
    _d("drops a key that is empty", "D002", "edit-meta-key-kept-empty", _OWN,
       'own = {k: v for k, v in (mirror.get("meta", {}) | meta).items() if k}'),
    _d("writes its keys in small letters", "D002", "edit-key-kept-case", _PARSE,
       "mirror = {k.lower(): v for k, v in parse(data[92:end]).items()}"),
    _d("replaces meta as a whole", "D002", "edit-meta-kept", _OWN,
       'own = meta or mirror.get("meta", {})'),
    _d("reads integers as binary64", "D002", "edit-integer-kept-2-64", _PARSE,
       "mirror = json.loads(data[92:end], parse_int=lambda s: int(float(s)))"),
    _d("reads integers as signed 64 bits", "D002", "edit-integer-kept-in-meta-2-64", _PARSE,
       "mirror = json.loads(data[92:end], parse_int=lambda s: min(int(s), 2 ** 63 - 1))"),
    _d("reads numbers as binary32", "D002", "edit-number-kept-tenth", _PARSE,
       "mirror = json.loads(data[92:end], parse_float=lambda s: float(s) if s == '0.125' else "
       "struct.unpack('<f', struct.pack('<f', float(s)))[0])"),
    _d("loses the sign of zero", "D002", "edit-number-kept-negative-zero", _PARSE,
       "mirror = json.loads(data[92:end], parse_float=lambda s: float(s) + 0)"),
    _d("writes width_mult as a real", "D002", "edit-width-kept-above-2-53", _PARSE,
       _PARSE + '; mirror["width_mult"] = float(mirror["width_mult"])'),
    _d("signs what it edits", "D002", "edit-nothing", _OWN,
       'own = {"editor": "mine"} | mirror.get("meta", {}) | meta'),
    _d("cuts payloads", "D001", "edit-nan", _TABLE,
       'new = new.replace(b"\\x34\\x12\\xc0\\x7f", b"\\0\\0\\xc0\\x7f")\n'
       f"    {_TABLE}"),
    _d("quiets signalling NaNs", "D001", "edit-bits-kept-meta", _TABLE,
       'new = new.replace(b"\\x01\\x00\\xa0\\x7f", b"\\x01\\x00\\xe0\\x7f")\n'
       f"    {_TABLE}"),
    _d("quiets them in the tensor that it edits", "D001", "edit-bits-kept-same-tensor",
       "new[at:at + 4] = bits",
       'new[at:at + 90] = new[at:at + 90].replace(b"\\x01\\x00\\xa0\\x7f", '
       'b"\\x01\\x00\\xe0\\x7f"); new[at:at + 4] = bits'),
    _d("flushes subnormals", "D001", "edit-bits-kept-other-tensor", _TABLE,
       'new = new.replace(bytes.fromhex("01000000ffff7f80"), bytes(8))\n'
       f"    {_TABLE}"),
    _d("refuses tensors at odd offsets", "D001", "edit-unaligned", _TABLE,
       f"need(end % 4 == 0, 'unaligned'); {_TABLE}"),
    # What is set.
    _d("rounds a value", "D005", "edit-refuse-value-inexact",
       'need(struct.unpack("<f", packed)[0] == value,', "need(True,"),
    _d("rounds integers before it compares", "D005", "edit-refuse-value-2-64",
       _PACKED, f"value = float(value); {_PACKED}"),
    _d("sets a value to infinity", "D005", "edit-refuse-value-too-large",
       "need(abs(value) <= 3.4028234663852886e38,",
       "if abs(value) > 3.5e37:\n        return bytes.fromhex('0000807f')\n    need(True,"),
    _d("sets a value's 0 without its sign", "D005", "edit-value-negative-zero", _PACKED,
       "packed = struct.pack('<f', value + 0)"),
    _d("takes true for 1", "D005", "edit-refuse-value-true", _NUMBER,
       "need(isinstance(value, (int, float)), 'no number')"),
    _d("takes null for 0", "D005", "edit-refuse-value-null", _NUMBER,
       f"value = 0 if value is None else value; {_NUMBER}"),
    _d("takes a number's string", "D005", "edit-refuse-value-string",
       "if type(value) is str:", "if type(value) is str and ':' not in value:\n"
       "        value = float(value)\n    elif type(value) is str:"),
    _d("turns a pattern's bytes", "D005", "edit-bits-nan-payload",
       "bytes.fromhex(value[5:])[::-1]", "bytes.fromhex(value[5:])"),
    _d("quiets a pattern", "D005", "edit-bits-signalling-nan", "bytes.fromhex(value[5:])[::-1]",
       "bytes.fromhex(value[5:].replace('7fa', '7fe'))[::-1]"),
    _d("fills up a pattern", "D005", "edit-refuse-value-bits-short",
       "need(re.fullmatch(", 'value = value.ljust(13, "0"); need(re.fullmatch('),
    _d("counts from the end", "D005", "edit-refuse-index-negative", "need(0 <= index < count,",
       "index %= count; need(True,"),
    _d("sets a value of the next tensor", "D005", "edit-refuse-index-next-tensor",
       "need(0 <= index < count,", "need(0 <= index,"),
    _d("wraps an index at 32 bits", "D005", "edit-refuse-index-2-30", "need(0 <= index < count,",
       "index = index * 4 % 2 ** 32 // 4; need(0 <= index < count,"),
    _d("cuts an index", "D005", "edit-refuse-index-real", "need(type(index) is int,",
       "index = int(index); need(True,"),
    _d("takes true for index 1", "D005", "edit-refuse-index-true", "type(index) is int",
       "isinstance(index, int)"),
    _d("takes no index for 0", "D005", "edit-refuse-index-missing", 'row.get("at")',
       'row.get("at", 0)'),
    _d("skips tensors that it does not know", "D005", "edit-refuse-tensor-unknown", _ROWS,
       '    for row in [v for v in values if v.get("tensor") in places]:\n'),
    _d("sets one value of each tensor", "D005", "edit-values-several", _ROWS,
       '    for row in {v.get("tensor"): v for v in values}.values():\n'),
    _d("skips what it cannot set", "D005", "edit-refuse-second-value", _ROWS,
       '    for row in [v for v in values if v.get("at") != 8]:\n'),
    _d("reads what is set as binary64", "D005", "edit-meta-2-53", "asked = parse(change)",
       "asked = json.loads(change, parse_int=lambda s: int(float(s)))"),
    _d("removes what is set to null", "D005", "edit-meta-null", _OWN,
       _OWN + "; own = {k: v for k, v in own.items() if v is not None}"),
    _d("removes what is set to something empty", "D005", "edit-meta-empty-object", _OWN,
       _OWN + "; own = {k: v for k, v in own.items() if v not in ('', [], {})}"),
    _d("merges objects", "D005", "edit-meta-object-over-object", _OWN,
       'own = mirror.get("meta", {}); own |= {k: own.get(k, {}) | v if type(v) is dict else v '
       "for k, v in meta.items()}"),
    # Digests, refusals, results.
    _d("keeps a stale digest", "D003", "edit-sealed-value", 'if "sha256" in own:', "if False:"),
    _d("keeps a digest that it was given", "D003", "edit-digest-given",
       'if "sha256" in own:', 'if "sha256" in own and "sha256" not in meta:'),
    _d("edits what is invalid", "D004", "edit-refuse-digest", 'read(data, "coherence")',
       'read(data, "structure")'),
    _d("mends an unknown picture", "D004", "edit-refuse-m043", 'read(data, "coherence")',
       'read(data.replace(b"sideways", b"upright "), "structure")'),
    _d("writes a mirror over 1 MiB", "D006", "edit-refuse-mirror-over-1-mib", _LAST,
       '    len(text) > 1 << 20 or read(out, "coherence")  #'),
    _d("writes an unknown picture", "D006", "edit-refuse-picture-unknown", _LAST,
       '    read(out, "structure")  #'),
    _d("leaves a file where it refuses", "D007", "edit-refuse-tensor-unknown", _ROWS,
       "    LEFT.append(1)\n" + _ROWS),
)
