# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""For each rule a sentence and the file that breaks it, made from the sample file.

`efm3 explain` prints the sentence; the tests run every file through the rules.
"""

from __future__ import annotations

import struct
from dataclasses import replace

from efm3 import sample as s
from efm3.arch import Stage


def _then(*patches: s.Patch) -> s.Patch:
    def patch(data: bytes) -> bytes:
        for p in patches:
            data = p(data)
        return data
    return patch


def _bytes(new: bytes) -> s.Patch:
    return lambda _: new


def _sub(old: bytes, new: bytes) -> s.Patch:
    return s.text(lambda t: t.replace(old, new, 1))


def _cut(at: int) -> s.Patch:
    return lambda data: data[:at]


def _drop(key: str) -> s.Patch:
    return s.with_mirror(lambda m: {k: v for k, v in m.items() if k != key})


def _meta(**keys: object) -> s.Patch:
    return s.with_mirror(lambda m: m | {"meta": keys})


def _arch(**changes: object) -> s.Patch:
    return lambda _: s.build(replace(s.ARCH, **changes))  # type: ignore[arg-type]


def _half(data: bytes) -> bytes:
    floats = struct.unpack(f"<{len(data) // 4}f", data)
    return struct.pack(f"<{len(floats)}e", *floats)


def _swap_bytes(data: bytes) -> bytes:
    return b"".join(data[i:i + 4][::-1] for i in range(0, len(data), 4))


def _swap_sizes(data: bytes) -> bytes:
    return s.with_table(lambda rows: [rows[5], *rows[1:5], rows[0], *rows[6:]])(data)



EXAMPLES: dict[str, tuple[str, s.Patch]] = {
    "C001": ("an empty file", _bytes(b"")),
    "C002": ("a file that starts with ELF", s.put(0, b"\x7fELF")),
    "C003": ("version 4", s.field("version", 4)),
    "C004": ("the first 50 bytes of a file", _cut(50)),
    "C005": ("json_len of 2 GiB", s.field("json_len", 0x80000000)),
    "C006": ("json_len of 1 MiB in a small file", s.field("json_len", 1 << 20)),
    "C007": ("a file that ends two bytes into the tensor count",
             lambda d: d[:(s.spans(d).table_offset or 0) - 2]),
    "C010": ("a file of three text lines that begins `version https://git-lfs`",
             _bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")),
    "C011": ("a server's page that says 404", _bytes(b"<!DOCTYPE html><title>404</title>")),
    "C012": ("the file, gzipped", _bytes(b"\x1f\x8b\x08\0\0\0\0\0")),
    "C013": ("a PyTorch checkpoint with its name changed", _bytes(b"PK\x03\x04archive/data.pkl")),
    "C014": ("an old PyTorch checkpoint", _bytes(b"\x80\x02\x8a\nl\xfc\x9c")),
    "C015": ("an ONNX model with its name changed", _bytes(b"\x08\x07\x12\x07pytorch:\0")),
    "C016": ("a safetensors file with its name changed",
             _bytes(b"\x10\0\0\0\0\0\0\0{\"a\":{}}        ")),
    "C017": ("a GGUF file", _bytes(b"GGUF\3\0\0\0")),
    "C018": ("one tensor as .npy", _bytes(b"\x93NUMPY\1\0")),
    "C019": ("a file whose magic is EFXS", s.put(0, b"EFXS")),
    "C020": ("version written as 00 00 00 03", s.put(4, b"\0\0\0\3")),
    "C021": ("the magic written as a big-endian integer", s.put(0, b"3MFE")),
    "C022": ("the magic in lower case", s.put(0, b"efm3")),
    "C023": ("a byte order mark before the magic", lambda d: b"\xef\xbb\xbf" + d),
    "C024": ("every LF turned into CR LF",
             lambda d: s.weights("stem.conv.w", struct.unpack("<f", b"\n\n\n>")[0])(d)
             .replace(b"\n", b"\r\n")),
    "C025": ("a file of zeros", lambda d: bytes(len(d))),
    "C026": ("the mirror alone", lambda d: bytes(s.spans(d).mirror or b"")),
    "H001": ("hdr_version 2", s.field("arch.hdr_version", 2)),
    "H002": ("a pad byte of 0xCC", s.field("arch.pad", b"\0\xcc\0")),
    "H003": ("n_stages 9", s.field("arch.n_stages", 9)),
    "H004": ("stem_kernel 4", s.field("arch.stem_kernel", 4)),
    "H005": ("stem_stride 0", s.field("arch.stem_stride", 0)),
    "H006": ("stem_channels 0", s.field("arch.stem_channels", 0)),
    "H007": ("block_channels 0", s.field("arch.block_channels", 0)),
    "H008": ("final_channels 0", s.field("arch.final_channels", 0)),
    "H009": ("embedding_dim 0", s.field("arch.embedding_dim", 0)),
    "H010": ("gdc_kernel 0", s.field("arch.gdc_kernel", 0)),
    "H011": ("a stage with t = 0", s.field("arch.stages[1].t", 0)),
    "H012": ("a stage with n = 0", s.field("arch.stages[1].n", 0)),
    "H013": ("a stage with s = 5", s.field("arch.stages[1].s", 5)),
    "H014": ("255 blocks in stage 1 and 2 in stage 2", s.field("arch.stages[0].n", 255)),
    "H015": ("t = 255 on 65535 channels", _then(s.field("arch.stem_channels", 65535),
                                                 s.field("arch.stages[0].t", 255))),
    "H016": ("gdc_kernel 6 after a map of 7x7", s.field("arch.gdc_kernel", 6)),
    "H017": ("a stage's reserved field set to 1", s.field("arch.stages[0].reserved", 1)),
    "H018": ("a fourth record in a header of three stages", s.field("arch.stages[3].t", 2)),
    "M001": ("json_len 0", s.text(b"")),
    "M002": ("a byte order mark before the brace", s.text(lambda t: b"\xef\xbb\xbf" + t)),
    "M003": ("a name in Latin-1", _sub(b"sample", b"s\xe9mple")),
    "M004": ("17 nested arrays under meta",
             _sub(b"}]}", b"}],\"meta\":" + b"[" * 17 + b"]" * 17 + b"}")),
    "M005": ("two keys `gdc_kernel`", _sub(b'"gdc_kernel":7', b'"gdc_kernel":7,"gdc_kernel":6')),
    "M006": ("width_mult NaN", _sub(b"0.125", b"NaN")),
    "M007": ("width_mult 1e999", _sub(b"0.125", b"1e999")),
    "M008": ("a NUL in the name", _sub(b"sample", b"sam\\u0000ple")),
    "M009": ("half a surrogate pair in the name", _sub(b"sample", b"\\ud800")),
    "M010": ("a NUL byte after the closing brace", s.text(lambda t: t + b"\0")),
    "M011": ("a comma before the closing brace", _sub(b"}]}", b"}],}")),
    "M012": ("an array instead of an object", s.text(lambda t: b"[" + t + b"]")),
    "M020": ("no key width_mult", _drop("width_mult")),
    "M021": ("gdc_kernel as a string", _sub(b'"gdc_kernel":7', b'"gdc_kernel":"7"')),
    "M022": ("embedding_dim 512 beside a header that says 8",
             _sub(b'"embedding_dim":8', b'"embedding_dim":512')),
    "M023": ("two stages beside a header with three",
             s.with_mirror(lambda m: m | {"stages": m["stages"][:2]})),
    "M024": ("a stage without s", _sub(b',"s":2', b"")),
    "M025": ("t = 3 beside a header that says 2", _sub(b'"t":2', b'"t":3')),
    "M026": ("width_mult 0", _sub(b"0.125", b"0")),
    "M027": ("an empty name", _sub(b"sample", b"")),
    "M028": ("another network under the name nano", _sub(b"sample", b"nano")),
    "M029": ("a key `author` beside the others", s.with_mirror(lambda m: m | {"author": "me"})),
    "M030": ("a space after each comma", s.text(lambda t: t.replace(b",", b", "))),
    "M040": ("meta as a string", s.with_mirror(lambda m: m | {"meta": "mine"})),
    "M041": ("a digest of four digits", _meta(sha256="beef")),
    "M042": ("a weight changed after the seal",
             lambda d: s.weights("stem.conv.w", 0.5)(s.digest_of(d))),
    "T001": ("n_tensors one too large",
             lambda d: s.put((s.spans(d).table_offset or 0) - 4, b"\xff\0\0\0")(d)),
    "T002": ("a kernel written 5x5 instead of 3x3",
             s.payload("dw_stem.conv.w", lambda d: d + bytes(8 * 16 * 4))),
    "T003": ("weights saved as FP16", s.payload("", _half)),
    "T004": ("weights saved as FP64", s.payload("", lambda d: d + d)),
    "T005": ("the number of values in place of the bytes",
             s.size_of("stem.conv.w", lambda n: n // 4)),
    "T006": ("a size written big-endian", s.size_of(
        "stem.conv.w", lambda n: int.from_bytes(n.to_bytes(4, "big"), "little"))),
    "T007": ("conv.w and act.w of the stem exchanged", _swap_sizes),
    "T008": ("no stem.act.w", s.with_table(lambda rows: rows[:5] + rows[6:])),
    "T009": ("a convolution's bias after its weights",
             s.with_table(lambda rows: [rows[0], ("bias", bytes(36)), *rows[1:]])),
    "T010": ("an empty act.w", s.payload("stem.act.w", lambda d: b"")),
    "T011": ("a size of 33", s.payload("stem.act.w", lambda d: d + b"\0" * 1)),
    "T012": ("the file without its last 5 bytes", lambda d: d[:-5]),
    "T013": ("the file without its last tensor",
             lambda d: d[:s.spans(d).tensors[-1].offset]),
    "T014": ("a newline at the end", lambda d: d + b"\n"),
    "T015": ("two files joined", lambda d: d + d),
    "T016": ("a zip archive at the end", lambda d: d + b"PK\x03\x04\x14\0\0\0"),
    "V001": ("float32 written big-endian", s.payload("", _swap_bytes)),
    "V002": ("a NaN in the stem", s.weights("stem.conv.w", float("nan"), at=3)),
    "V003": ("an infinite bias", s.weights("stem.bn.b", float("inf"))),
    "V004": ("a variance of -0.5", s.weights("stem.bn.var", -0.5)),
    "V005": ("a variance of 0", s.weights("stem.bn.var", 0.0)),
    "V006": ("a variance of 1e12", s.weights("stem.bn.var", 1e12)),
    "V007": ("27 zeros in stem.conv.w", s.weights("stem.conv.w", *[0.0] * 27)),
    "V008": ("final_conv filled with zeros", s.fill("final_conv.conv.w", 0.0)),
    "V009": ("a weight of 1e-40", s.weights("stem.conv.w", 1e-40)),
    "V010": ("a weight of 1e20", s.weights("stem.conv.w", 1e20)),
    "V011": ("a slope of 25", s.weights("stem.act.w", 25.0)),
    "V012": ("slopes of 1 in the stem", s.fill("dw_stem.act.w", 1.0)),
    "V013": ("a scale of 100 over a variance of 1e-7",
             _then(s.weights("dw_stem.bn.w", 100.0), s.weights("dw_stem.bn.var", 1e-7))),
    "V014": ("BatchNorm as it is before training",
             _then(s.fill("bn.w", 1.0), s.fill("bn.b", 0.0), s.fill("bn.mean", 0.0),
                   s.fill("bn.var", 1.0))),
    "V015": ("final_conv filled with 0.01", s.fill("final_conv.conv.w", 0.01)),
    "P001": ("a mirror that is three bytes too long",
             lambda d: s.text(bytes(s.spans(d).mirror or b"") + b"   ")(d)),
    "P002": ("65 blocks", _arch(stages=(Stage(1, 65, 2), *s.ARCH.stages[1:]))),
    "P003": ("a 5x5 stem", _arch(stem_kernel=5)),
    "P004": ("a stage of stride 4", _arch(stages=(Stage(1, 1, 4), Stage(1, 1, 2)))),
    "P005": ("17 channels in the stem", _arch(stem_channels=17)),
    "P006": ("an embedding of 1024", _arch(embedding_dim=1024)),
    "P007": ("t = 255 on 17 channels", _arch(
        stem_channels=24, stages=(Stage(255, 1, 2), *s.ARCH.stages[1:]))),
    "P008": ("a file that was never sealed", lambda d: d),
}


def example(code: str) -> tuple[str, bytes]:
    """A sentence and a file that breaks the rule `code`."""
    sentence, patch = EXAMPLES[code]
    return sentence, patch(s.base())
