# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Does the kit bite? Wrong readers, writers, editors and engines, each killed by its case.

A mutant is a scaffold with one mistake put in by text, or our editor with one step changed.
The score is printed; --all also says how many cases of the whole set kill each.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from efm3.conformance import runner
from efm3.conformance.cases import Case, corpus
from efm3.conformance.results import Answer, Outcome
from efm3.conformance.subject import Subject
from tools import ROOT

SCAFFOLDS = ROOT / "efm3" / "conformance" / "scaffolds"


class Mutant(NamedTuple):
    """A mistake: what it is, the requirement it breaks, the text it changes, and the case that
    must fail. `symptom` is what the kit must say of it."""

    name: str
    kind: str
    breaks: str
    case: str
    old: str = ""
    new: str = ""
    symptom: str = ""


def _r(name: str, breaks: str, case: str, old: str, new: str) -> Mutant:
    return Mutant(name, "reader", breaks, case, old, new)


def _w(name: str, breaks: str, case: str, old: str, new: str) -> Mutant:
    return Mutant(name, "writer", breaks, case, old, new)


def _e(name: str, breaks: str, case: str, old: str, new: str, symptom: str = "") -> Mutant:
    return Mutant(name, "engine", breaks, case, old, new, symptom)


READERS = (
    _r("ignores trailing bytes", "R001", "bad-t014-zero", "need(at == len(data),", "need(True,"),
    _r("ignores the magic", "R001", "bad-c002-elf", 'need(magic == b"EFM3",', "need(True,"),
    _r("checks three letters of the magic", "R001", "bad-c002-byte-3",
       'need(magic == b"EFM3",', 'need(magic[:3] == b"EFM",'),
    _r("takes any later version", "R007", "bad-c003-version-4", "need(version == 3,",
       "need(version >= 3,"),
    _r("ignores hdr_version", "R007", "bad-h001-hdr-version-2", "need(hdr_version == 1,",
       "need(True,"),
    _r("ignores pad bytes", "R001", "bad-h002-pad-1", "need(pad == bytes(3),", "need(True,"),
    _r("looks at one pad byte", "R001", "bad-h002-pad-2", "need(pad == bytes(3),",
       "need(pad[0] == 0,"),
    _r("ignores a stage's reserved field", "R001", "bad-h017-reserved-1",
       "stage_pad == 0 and reserved == 0", "stage_pad == 0"),
    _r("ignores unused records", "R001", "bad-h018-record-3-t",
       "need(unused == bytes(len(unused)),", "need(True,"),
    _r("allows even stem kernels", "R001", "bad-h004-alone-kernel-4",
       "stem_kernel % 2 == 1 and stem_kernel <= 15", "1 <= stem_kernel <= 15"),
    _r("allows stem kernels to 17", "R001", "bad-h004-alone-kernel-17", "stem_kernel <= 15",
       "stem_kernel <= 17"),
    _r("allows a stride of 5", "R001", "bad-h013-alone-stride-5", "need(1 <= s <= 4,",
       "need(1 <= s <= 5,"),
    _r("does not compare gdc_kernel with the map", "R001", "bad-h016-alone-larger",
       "need(gdc_kernel == side,", "need(True,"),
    _r("allows 64 blocks only", "R002", "valid-blocks-256",
       'need(sum(s["n"] for s in stages) <= 256', 'need(sum(s["n"] for s in stages) <= 64'),
    _r("allows 257 blocks", "R001", "bad-h014-alone-257-blocks",
       'need(sum(s["n"] for s in stages) <= 256', 'need(sum(s["n"] for s in stages) <= 9999'),
    _r("caps expansions at 4096 channels", "R002", "valid-wide-expansion", "need(wide <= 65535,",
       "need(wide <= 4096,"),
    _r("takes two stages of eight", "R002", "valid-stages-8", "need(1 <= n_stages <= 8,",
       "need(1 <= n_stages <= 7,"),
    _r("gives stage 1 block_channels", "R009", "valid-stem-wider-than-blocks",
       'arch["stem_channels"] if i == 1 else', 'arch["stem_channels"] if i == 0 else'),
    _r("reads conv.w of a depthwise layer as dense", "R009", "valid-sample",
       'layer("dw_stem", c, 1, 3, True)', 'layer("dw_stem", c, c, 3, True)'),
    _r("leaves expand out where t is 1", "R009", "valid-sample",
       'layer(f"stage{i}.block{j}.expand", wide, c, 1, True)',
       'stage["t"] == 1 or layer(f"stage{i}.block{j}.expand", wide, c, 1, True)'),
    _r("puts bn.b before bn.w", "R009", "valid-sample", 'f"{name}.bn.w", (out,)',
       'f"{name}.bn.B", (out,)'),
    _r("ignores json_len's limit", "R001", "bad-c005-alone",
       "need(json_len <= 1 << 20,", "need(True,"),
    _r("reads the tensors that are there", "R004", "bad-t013-last-missing",
       "        need(len(data) - at >= 4, f\"T013",
       "        if len(data) == at:\n            break\n"
       "        need(len(data) - at >= 4, f\"T013"),
    _r("reads the bytes that are there", "R004", "bad-t012-last-1-bytes",
       "        need(size <= len(data) - at,", "        size = min(size, len(data) - at)\n"
       "        need(size <= len(data) - at,"),
    _r("takes sizes as they come", "R009", "bad-t002-compensated",
       "need(size == 4 * math.prod(shape),", "need(size < 1 << 20,"),
    _r("does not compare n_tensors", "R001", "bad-t001-one-less",
       "need(n_tensors == len(layout),", "need(True,"),
    _r("refuses unaligned tensors", "R005", "valid-mirror-spaces-1",
       "    at += 4\n    table = at\n",
       "    at += 4\n    table = at\n    need(at % 4 == 0, 'unaligned')\n"),
    _r("normalises weights", "R008", "valid-weight-subnormal", "payload = data[at:at + size]",
       "payload = data[at:at + size].replace(bytes.fromhex('01000000'), bytes(4))"),
    _r("refuses NaN", "R008", "bad-v002-conv-w", "payload = data[at:at + size]",
       "payload = data[at:at + size]; need(b'\\xc0\\x7f' not in payload, 'NaN')"),
    _r("reads floats big-endian", "R008", "valid-sample", "payload[:4][::-1].hex()",
       "payload[:4].hex()"),
    _r("trusts the mirror's stages", "R003", "bad-m025-s",
       'need(mine == stage, "M025', 'need(True or mine == stage, "M025'),
    _r("trusts the mirror's channels", "R003", "bad-m022-stem-channels",
       "need(mirror[key] == arch[key],", "need(True,"),
    _r("keeps the last of two keys", "R001", "bad-m005-first-wrong",
       "need(len(dict(pairs)) == len(pairs),", "need(True,"),
    _r("takes NaN in the mirror", "R001", "bad-m006-in-meta", 'raise Refused(f"M006: {word}")',
       "return None"),
    _r("strips a NUL after the object", "R001", "bad-m010-nul",
       'need(decoded[end:].strip(" ") == "",', 'need(decoded[end:].strip(" \\0") == "",'),
    _r("takes 7.0 for an integer", "R001", "bad-m021-gdc-kernel-real",
       "need(type(mirror[key]) in kinds,", "need(isinstance(mirror[key], (*kinds, float)),"),
    _r("takes true for an integer", "R001", "bad-m024-true",
       "all(type(v) is int for v in mine.values())",
       "all(isinstance(v, int) for v in mine.values())"),
    _r("refuses unknown keys", "R006", "valid-mirror-unknown-key",
       "    mirror = parse(text)\n",
       '    mirror = parse(text)\n    need(set(mirror) <= {*KINDS, "meta"}, "unknown key")\n'),
    _r("does not look at the digest", "R001", "bad-m042-first-weight",
       "need(digest == hashlib.sha256(table).hexdigest(),", "need(True,"),
    _r("takes any word for the picture", "R001", "bad-m043-turned-90",
       'in ("upright", "turned-180")', 'is not None'),
    _r("takes a lone surrogate", "R001", "bad-m009-high",
       'need(re.search("[\\ud800-\\udfff]", value) is None,', "need(True,"),
    _r("counts brackets inside strings", "R002", "valid-meta-brackets-in-string",
       "re.sub(rb'\"(?:[^\"\\\\]|\\\\.)*\"?', b\"\", text, flags=re.S)", "text"),
)

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

ENGINES = (
    _e("reads NHWC", "E003", "run-plain", "a = np.asarray(x, np.float64)",
       "a = np.asarray(x, np.float64).reshape(112, 112, 3).transpose(2, 0, 1)", "NHWC"),
    _e("reads BGR", "E003", "run-input-planes", "a = np.asarray(x, np.float64)",
       "a = np.asarray(x, np.float64)[::-1]", "BGR"),
    _e("takes the input for 0..255", "E003", "run-plain", "a = np.asarray(x, np.float64)",
       "a = (np.asarray(x, np.float64) - 127.5) / 128", "0..255"),
    _e("misses BatchNorm's epsilon", "E007", "run-variance-small", "np.sqrt(var + 1e-5)",
       "np.sqrt(var)", "epsilon is missing"),
    _e("has TensorFlow's epsilon", "E007", "run-variance-zero", "np.sqrt(var + 1e-5)",
       "np.sqrt(var + 1e-3)", "1e-3"),
    _e("folds BatchNorm twice", "E007", "run-plain", "w = w * scale[:, None, None, None]",
       "w = w * scale[:, None, None, None] ** 2", "folded twice"),
    _e("has one PReLU slope a tensor", "E008", "run-slopes-differ", "slope[:, None, None] * y",
       "slope[0] * y", "first PReLU slope"),
    _e("takes the larger of x and slope*x", "E008", "run-slopes-above-1",
       "np.where(y > 0, y, slope[:, None, None] * y)",
       "np.maximum(y, slope[:, None, None] * y)", "max(x, slope*x)"),
    _e("has ReLU for PReLU", "E008", "run-plain", "np.where(y > 0, y, slope[:, None, None] * y)",
       "np.maximum(y, 0)", "PReLU is ReLU"),
    _e("misses the residual", "E006", "run-plain", "a = a + block_input", "a = a + 0", "missing"),
    _e("adds from a stage's second block on", "E006", "run-stride-1-same-channels",
       "adds = stride == 1 and c == out", "adds = j > 0 and stride == 1 and c == out",
       "first block"),
    _e("adds where the stride is 2", "E006", "run-stride-2-same-channels",
       "            if layer.adds:\n                a = a + block_input\n",
       "            if layer.name.endswith('project') and len(block_input) == len(a):\n"
       "                k = -(-block_input.shape[1] // a.shape[1])\n"
       "                a = a + block_input[:, ::k, ::k]\n", "stride is not 1"),
    _e("has an activation after the residual", "E006", "run-plain", "a = a + block_input",
       "a = np.maximum(a + block_input, 0)"),
    _e("has an activation after project", "E012", "run-plain",
       "            if layer.adds:", "            if layer.name.endswith('project'):\n"
       "                a = np.maximum(a, 0)\n            if layer.adds:", "follows project"),
    _e("pads on the right alone", "E004", "run-plain",
       "np.pad(x, ((0, 0), (p, p), (p, p)))",
       "np.pad(x, ((0, 0), (0, 2 * p), (0, 2 * p)) if s > 1 else ((0, 0), (p, p), (p, p)))",
       "right and the bottom"),
    _e("pads with the border's values", "E004", "run-input-constant",
       "np.pad(x, ((0, 0), (p, p), (p, p)))", "np.pad(x, ((0, 0), (p, p), (p, p)), 'edge')"),
    _e("has the stride on every block", "E005", "run-plain", "stride = s if j == 0 else 1",
       "stride = s"),
    _e("has the stride on the last block", "E005", "run-plain", "stride = s if j == 0 else 1",
       "stride = s if j == n - 1 else 1", "last block"),
    _e("has the stride on expand", "E005", "run-plain",
       '            layer(f"stage{i}.block{j}.expand", c, wide)\n'
       '            layer(f"stage{i}.block{j}.dw", wide, wide, 3, stride, 1, depthwise=True)\n',
       '            layer(f"stage{i}.block{j}.expand", c, wide, 1, stride)\n'
       '            layer(f"stage{i}.block{j}.dw", wide, wide, 3, 1, 1, depthwise=True)\n',
       "on expand"),
    _e("does not normalise", "E009", "run-plain",
       "embedding = embedding / np.maximum(norm, 1e-12)", "pass", "no L2"),
    _e("divides by zero", "E009", "run-zero-vector", "np.maximum(norm, 1e-12)", "norm", "guard"),
    _e("adds 1e-6 to the norm", "E009", "run-tiny-norm", "np.maximum(norm, 1e-12)",
       "(norm + 1e-6)"),
    _e("drops NaN", "E010", "run-input-nan", "a = np.asarray(x, np.float64)",
       "a = np.nan_to_num(np.asarray(x, np.float64))"),
    _e("skips expand where t is 1", "E011", "run-t-1",
       "            a = apply(layer, model.tensors, a)\n",
       "            if not (layer.name.endswith('expand') and layer.cin == layer.cout):\n"
       "                a = apply(layer, model.tensors, a)\n", "left out where t is 1"),
    _e("gives stage 1 block_channels", "E013", "run-channels-5-7-11-3",
       "out = stem if i == 1 else block", "out = block"),
    _e("turns its input where the mirror says so of pictures", "E014", "run-picture-turned",
       "a = np.asarray(x, np.float64)", "a = np.asarray(x, np.float64)\n"
       "    if b'turned-180' in bytes(model.tensors['stem.conv.w'].base.base):\n"
       "        a = a[:, ::-1, ::-1]", "input is turned"),
    _e("turns kernels round", "E001", "run-plain", "w[:, 0, i, j][:, None, None] * tap",
       "w[:, 0, k - 1 - i, k - 1 - j][:, None, None] * tap"),
    _e("computes with 11 bits", "E001", "run-plain", "a = apply(layer, model.tensors, a)",
       "a = apply(layer, model.tensors, a).astype(np.float16).astype(np.float64)"),
    _e("loads a file with a tail", "E002", "bad-t014-zero", "need(at == len(data),", "need(True,"),
    _e("reads past the end", "E002", "bad-t012-last-4-bytes", "need(size <= len(data) - at,",
       "need(True,"),
    _e("loads another version", "E002", "bad-c003-version-4", "need(version == 3,", "need(True,"),
)

EDITORS = tuple(Mutant(*row) for row in (
    ("drops unknown keys", "editor", "D002", "edit-unknown-key", "@keys"),
    ("rounds weights", "editor", "D001", "edit-nan", "@round"),
    ("keeps a stale digest", "editor", "D003", "edit-sealed-value", "@stale"),
    ("edits what is invalid", "editor", "D004", "edit-refuse-digest", "@lax"),
    ("does nothing", "editor", "D002", "edit-meta", "@nothing"),
))

MUTANTS = (*READERS, *WRITERS, *EDITORS, *ENGINES)


class Module(Subject):
    """A Python scaffold in this process, with or without a mistake."""

    FILES = {"reader": "reader.py", "writer": "exporter.py", "engine": "engine.py"}  # noqa: RUF012

    def __init__(self, kind: str, old: str = "", new: str = "") -> None:
        super().__init__()
        source = (SCAFFOLDS / self.FILES[kind]).read_text(encoding="utf-8")
        if old not in source:
            raise LookupError(f"{self.FILES[kind]} holds no {old!r}")
        self._own: dict[str, Any] = {"__name__": "scaffold", "LEFT": []}
        exec(compile(source.replace(old, new, 1) if old else source, self.FILES[kind], "exec"),
             self._own)

    def _try(self, call: Any, *args: Any) -> Answer:
        self._own["LEFT"].clear()
        try:
            return Answer("ok", value=call(*args))
        except self._own["Refused"] as e:
            return Answer("refused", str(e), bool(self._own["LEFT"]))
        except Exception as e:
            return Answer("broken", repr(e))

    def read(self, data: bytes, level: str) -> Answer:
        """See Subject."""
        return self._try(self._own["read"], data, level)

    def write(self, arch: Any, tensors: Any) -> Answer:
        """See Subject."""
        return self._try(self._own["write"], arch, tensors)

    def embed(self, model: bytes, x: Any) -> Answer:
        """See Subject."""
        def run() -> Any:
            embedding, layers = self._own["forward"](self._own["load"](model), x)
            return embedding, {k: v.reshape(-1) for k, v in layers.items()}
        return self._try(run)


def _editor(step: str) -> Subject:
    from efm3.conformance.builtin import Own
    from efm3.conformance.recipe import patch
    from efm3.conformance.subject import Subject as Base

    class Editor(Base):
        def edit(self, data: bytes, change: Any) -> Answer:
            if step == "@nothing":
                return Answer("ok", value=data)
            if step == "@stale":
                v = change["values"][0] if change["values"] else None
                return Answer("ok", value=data if v is None else patch(data, {
                    "op": "values", "tensor": v["tensor"], "at": v["at"], "values": [v["value"]]}))
            answer = Own().edit(data, change)
            if step == "@lax" and answer.kind == "refused":
                return Answer("ok", value=data)
            if step == "@keys" and answer.kind == "ok":
                answer = Answer("ok", value=patch(answer.value, {"op": "mirror_drop",
                                                                 "key": "author"}))
            if step == "@round" and answer.kind == "ok":
                answer = Answer("ok", value=answer.value.replace(b"\x34\x12\xc0\x7f",
                                                                 b"\0\0\xc0\x7f"))
            return answer
    return Editor()


def subject(m: Mutant) -> Subject:
    """The mutant as a subject. Raises LookupError where its text is not in the scaffold."""
    return _editor(m.old) if m.kind == "editor" else Module(m.kind, m.old, m.new)


@lru_cache(maxsize=1)
def _cases() -> dict[str, Case]:
    return {c.id: c for c in corpus()}


def kill(m: Mutant) -> Outcome:
    """The outcome of the case that must kill the mutant."""
    (found,) = runner.run(m.kind, subject(m), [_cases()[m.case]], level="coherence")
    return found


def killed(m: Mutant, found: Outcome) -> bool:
    """True where the case failed, with the symptom named."""
    return found.verdict in ("fail", "broken") and m.symptom in found.detail


def report(every: bool) -> Iterator[str]:
    """A line for each mutant, and the score."""
    dead = 0
    for m in MUTANTS:
        found = kill(m)
        dead += killed(m, found)
        more = ""
        if every:
            rows = list(runner.run(m.kind, subject(m), runner.cases_of(m.kind), level="coherence"))
            more = f", by {sum(o.verdict in ('fail', 'broken') for o in rows)} of {len(rows)} cases"
        yield (f"{'killed' if killed(m, found) else 'ALIVE '} {m.kind:7} {m.name} ({m.breaks}): "
               f"{m.case}{more}: {found.detail[:110]}")
    yield f"{dead} of {len(MUTANTS)} mutants killed: {100 * dead / len(MUTANTS):.0f} %"
