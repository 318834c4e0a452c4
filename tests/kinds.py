# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A small file of every kind that efm3.sniff knows: `SAMPLES`, kind to the files' bytes.

Written by hand or by Python's own library; tests/test_sniff_libraries.py has those that the
formats' own libraries write.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import struct
import tarfile
import zipfile
from typing import Any

from efm3.conformance import sample


def archive(*names: str, data: bytes = b"x" * 40, **kw: Any) -> bytes:
    """A zip archive of these names."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", **kw) as z:
        for name in names:
            z.writestr(name, data)
    return out.getvalue()


def field(number: int, value: int | bytes) -> bytes:
    """A protobuf field: an integer, or bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(n: int) -> bytes:
    """Seven bits a byte, the least first."""
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def flat(identifier: bytes) -> bytes:
    """The head of a FlatBuffer with an identifier."""
    return struct.pack("<I", 28) + identifier + bytes(20) + struct.pack("<IIII", 8, 4, 2, 1)


def tar() -> bytes:
    """A tar archive of one file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        info = tarfile.TarInfo("net.bin")
        info.size = 3
        t.addfile(info, io.BytesIO(b"abc"))
    return out.getvalue()


FLOATS = struct.pack("<64f", *(0.01 * i - 0.313 for i in range(64)))
PARAM = b"7767517\n2 2\nInput data 0 1 data\nReLU act 1 1 data out\n"
OID = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{OID}\nsize 4115186\n".encode()
SYMBOL = json.dumps({"nodes": [{"op": "null", "name": "data", "inputs": []}],
                     "arg_nodes": [0], "heads": [[0, 0, 0]]}, indent=2).encode()
NODE = field(1, b"input") + field(2, b"Placeholder")
ONNX = field(1, 8) + field(2, b"pytorch") + field(3, b"2.1") + field(
    7, field(1, field(1, b"x") + field(4, b"Conv"))) + field(8, field(2, 17))
CAFFE_LAYER = field(1, b"data") + field(2, b"Input")
BMP = b"BM" + struct.pack("<IHHIIiiHH", 54 + 12, 0, 0, 54, 40, 2, 2, 1, 24) + bytes(36)

SAMPLES = {
    "efm3": [sample.base(), b"EFM3" + struct.pack("<I", 9) + sample.base()[8:], b"EFM3\3\0\0\0",
             b"EFM3\3\0\0\0" + b"\xef\xbf\xbd" * 20],
    "empty": [b""],
    "lfs": [POINTER, POINTER.replace(b"\n", b"\r\n"), b"version https://git-lfs\0"],
    "html": [b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>",
             b"\n  <html lang='en'>", b"<!-- a --><!-- b --> <HEAD></HEAD>", b"<!doctype html>\0\1",
             "\ufeff<!DOCTYPE HTML>".encode("utf-16-le"), b"\xef\xbb\xbf<!doctype html><p>"],
    "xml": [b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>", b"<Error>no</Error>"],
    "gzip": [gzip.compress(b"x" * 99)],
    "torch": [archive("net/data.pkl", "net/version", "net/data/0"),
              archive("archive/data/0", "archive/data.pkl"), archive("data.pkl"),
              archive("net/data/0", "net/data/1")[:90]],
    "torchscript": [archive("ts/data/0", "ts/data.pkl", "ts/code/__torch__.py", "ts/constants.pkl"),
                    archive("ts/code/__torch__.py", "ts/data.pkl")],
    "torch_export": [archive("e/data/weights/weight_0", "e/models/model.json", "e/archive_format"),
                     archive("serialized_exported_program.json", "serialized_state_dict.pt")],
    "npz": [archive("stem.w.npy", "b.npy"), archive("a.npy", compression=zipfile.ZIP_DEFLATED)],
    "keras": [archive("metadata.json", "config.json", "model.weights.h5"),
              archive("config.json", "model.weights.h5"), archive("metadata.json", "config.json")],
    "mlpackage": [archive("Data/com.apple.CoreML/model.mlmodel", "Manifest.json"),
                  archive("net.mlmodelc/coremldata.bin")],
    "zip": [archive("read.me", "net.onnx", "a/"), b"PK\3\4", archive(), b"PK\3\4" + b"\xff" * 99],
    "torch_legacy": [pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2)],
    "pickle": [*(pickle.dumps({"a": [1, 2]}, p) for p in range(6)),
               *(pickle.dumps([0.5], p) for p in range(6)),
               *(pickle.dumps(struct.Struct, p) for p in (2, 3)), pickle.dumps((1, "a" * 20), 3),
               pickle.dumps(None, 4), pickle.dumps({}, 2)],
    "onnx": [ONNX, field(1, 3) + field(7, b"") + field(8, field(2, 9)),
             field(1, 10) + field(2, b"x") + field(7, bytes([10]) * 300)[:9],
             field(8, field(2, 9)) + field(1, 4) + field(20, b""),
             field(1, 8) + field(7, field(1, b"a") + field(5, bytes(range(256)) * 40)),
             field(1, 8) + field(4, b"") + field(5, 1000) + field(7, field(5, b"w"))],
    "safetensors": [struct.pack("<Q", 2) + b"{}", struct.pack("<Q", 16) + b'{"a":{}}        '],
    "gguf": [b"GGUF" + struct.pack("<IQQ", 3, 1, 1)],
    "npy": [b"\x93NUMPY\1\0v\0{'descr': '<f4', }"],
    "facex": [b"EFXS" + bytes(20), b"EFX2\3\0\0\0"],
    "efm3_big": [b"EFM3\0\0\0\3" + bytes(20)],
    "efm3_swapped": [b"3MFE\3\0\0\0"],
    "efm3_case": [b"efm3\3\0\0\0", b"Efm3\3\0\0\0"],
    "efm3_bom": [b"\xef\xbb\xbf" + sample.base()],
    "efm3_utf16": ["\ufeff".encode("utf-16-le") + sample.base().decode("latin-1").encode(
        "utf-16-le"), "\ufeffEFM3\3\0".encode("utf-16-be")],
    "replaced": [gzip.compress(bytes(range(256)) * 9).decode("utf-8", "replace").encode()],
    "zeros": [bytes(4), bytes(9999), bytes(600) + b"x"],
    "json": [b'{"error": "Not Found"}', b"[1, 2]", b"{}", b'\n [\n"a"]', b"[[1]]", b"[null]",
             b'{"x": 1, "nodes": []}', b'{"arg_nodes": 1}'],
    "tflite": [flat(b"TFL3")],
    "ncnn_param": [PARAM, PARAM.replace(b"\n", b"\r\n"), b"\n" + PARAM],
    "ncnn_binary": [struct.pack("<5I", 7767517, 2, 2, 0, 0)],
    "ncnn_bin": [bytes(4) + FLOATS, struct.pack("<I", 0x01306B47) + FLOATS[:12],
                 struct.pack("<I", 0x000D4B38) + b"ab", struct.pack("<I", 0x0002C056) + FLOATS],
    "pnnx": [PARAM.replace(b"Input", b"pnnx.Input")],
    "mxnet_params": [struct.pack("<QQQI", 0x112, 0, 1, 0xF993FAC9)],
    "mxnet_symbol": [SYMBOL, json.dumps(json.loads(SYMBOL)).encode(),
                     json.dumps(json.loads(SYMBOL), sort_keys=True).encode(),
                     b'{"nodes":[{"name": "data"}]}'],
    "caffemodel": [field(1, b"net") + field(100, CAFFE_LAYER), field(100, CAFFE_LAYER),
                   field(1, b"net") + field(3, b"data") + field(4, 1) + field(
                       2, field(3, b"conv") + field(4, b"conv"))],
    "prototxt": [b'name: "net"\nlayer {\n  name: "data" type: "Input"\n}\n',
                 b"# a comment\n# two\ninput: 'data'\ninput_dim: 1\n", b"layers { name: 'a' }"],
    "hdf5": [b"\x89HDF\r\n\x1a\n" + bytes(20)],
    "saved_model": [field(1, 1) + field(2, field(1, field(2, field(1, b"op"))))],
    "tf_graph": [field(1, NODE) + field(1, NODE)],
    "tfjs_model": [b'{"format": "layers-model", "generatedBy": "keras v2", "x": []}',
                   b'{"modelTopology": {"x": 1}}', b'[{"weights":[{"name":"conv0/filters"}]}]',
                   b'{"a": "' + b"x" * 9000 + b'", "weightsManifest": []}'],
    "openvino_xml": [b'<?xml version="1.0" ?>\n<net name="a" version="10">', b'<net name="a">'],
    "coreml": [field(1, 5) + field(2, field(1, field(1, b"image") + field(3, b"x")))],
    "rknn": [b"RKNN\0\0\0\0", b"CYPTRKNN\0\1"],
    "tensorrt": [b"ptrt\0\0\0\0", b"ftrt\x87\0\0\0"],
    "executorch": [flat(b"ET12")],
    "ort": [flat(b"ORTM")],
    "png": [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"],
    "jpeg": [b"\xff\xd8\xff\xe0\0\x10JFIF\0", b"\xff\xd8\xff\xdb\0", b"\xff\xd8\xff\xee\0\x0eA"],
    "gif": [b"GIF87a\1\0\1\0\x80", b"GIF89a\1\0\1\0\x80"],
    "webp": [b"RIFF\x24\0\0\0WEBPVP8 ", b"RIFF\x24\0\0\0WEBPVP8L"],
    "bmp": [BMP, b"BM" + bytes(4) + BMP[6:]],
    "tiff": [b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"II+\0\x08\0\0\0", b"MM\0+\0\x08\0\0"],
    "heic": [b"\0\0\0\x18ftypheic\0\0\0\0", b"\0\0\0\x1cftypavif\0\0\0\0"],
    "jp2": [b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 "],
    "jxl": [b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl "],
    "tga": [bytes((0, 0, 2)) + bytes(9) + b"\1\0\1\0\x18\0abc" + bytes(8) +
            b"TRUEVISION-XFILE.\0"],
    "pnm": [b"P6\n2 2\n255\n" + bytes(12), b"P5 # c\n# two\n112 112 255\n\xff\xfe",
            b"P3\n1 1\n255\n1 2 3\n"],
    "pdf": [b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", b"%PDF-1.4\n1 0 obj\n"],
    "tar": [tar()],
    "xz": [lzma.compress(b"x" * 99)],
    "bzip2": [bz2.compress(b"x" * 99)],
    "zstd": [b"\x28\xb5\x2f\xfd\x24\1\0\0"],
    "lz4": [b"\4\x22\x4d\x18\x64\x40\xa7"],
    "7z": [b"7z\xbc\xaf\x27\x1c\0\4"],
    "rar": [b"Rar!\x1a\7\0", b"Rar!\x1a\7\1\0"],
    "c_array": [b"// Written by `efm3 convert`: the EFM3 file \"x\", 9 bytes.\n",
                b"static const unsigned char x[] = {\n0x45,0x46,0x4d,0x33,0x03,0x00,\n"],
    "text": [b"404: Not Found", "ein l\u00e4ngerer Text\n".encode(), b"GGUF is a format of files",
             b"EFM3 is a format of weight files", b"\x1b[31mred\x1b[0m text",
             "\ufeffplain text".encode("utf-16-be"), b"net: 'a.prototxt'",
             "\u4e00\u4e01\u4e02\u4e03\u4e04\u4e05\u4e06\u4e07".encode(),
             b"name: 'a'\nversion: 3\n", b"look at the layer { in it }"],
}
"""Kind to whole files of it. mnn, openvino_bin and tfjs_shard are known by more than bytes."""

UNKNOWN = [
    b"a", b"EFX", b"EF", b"abc", bytes(3), b"\x7fELF\2\1\1", b"[x]", b"{x}", b"\x80" * 99,
    # ONNX models and other messages in all but one field
    b"\x08\x05\x12", b"\x09\x05\x12" + b"\1" * 30, b"\x08\x25\x12" + b"\1" * 30, field(1, 5),
    field(1, 5) + field(2, b"\1\2\3"), field(1, 1) * 50, field(1, 70) + field(7, b""),
    field(1, 5) + field(7, field(3, b"a")), field(7, field(1, b"a")), field(1, 5) + field(9, b"a"),
    field(1, 5) + field(9, b"a") + field(7, b""), field(1, 5) + field(2, b"\1") + field(7, b""),
    field(1, 5) + field(6, b"a text"), field(6, b"text " * 999), field(1, 5) + b"\x32\5",
    field(1, 0) + field(2, field(1, field(1, b"a"))),
    field(1, 5) + field(3, field(1, field(1, b"a"))),
    field(1, b"net") + field(9, b"x") + field(100, CAFFE_LAYER),
    field(1, b"a\1") + field(7, b""), field(1, 0) + field(7, b""), field(1, 5) + field(8, 1),
    field(1, 2) + field(2, field(1, field(2, b"a"))), field(1, 1) + field(2, field(2, b"a")),
    field(1, 40) + field(2, field(1, field(1, b"a"))), field(1, 1) + field(2, b""),
    field(1, b"net") + field(9, b"x"), field(1, b"\1\2") + field(100, CAFFE_LAYER),
    field(100, b"\1"), field(100, field(3, b"a")), field(2, field(1, b"a")), field(1, b"net"),
    field(1, field(1, b"name") + field(2, b"lower case")), field(1, field(2, b"Op") * 2),
    struct.pack("<Q", 1000) + b"{}", struct.pack("<Q", 3) + b"[]xx", b"PK\1\2",
    b"BM" + bytes(60), BMP + b"x", BMP[:14] + b"\x29" + BMP[15:], b"XX" + BMP[2:],
    b"\x80\x02", b"\x80\x06\x95" + bytes(9), b"\x80\x04\x95" + b"\xff" * 9,
    b"\x1f\x8b\x07\0", b"\x1f\x8b\x08\xff", b"\xff\xd8\xfe", b"\xff\xd8\xff\x00",
    b"P7\n1 1\n\xff", b"P6\n1\n\xff", b"\0\0\0\x18ftypisom\0\0\0\0",
    b"XXXX" + b"\xef\xbf\xbd" * 20, b"\1" + b"\xef\xbf\xbd" * 8, b"\xff\xfe" + FLOATS,
    b"\xe4\xf6\xfc Latin-1 text", "\ufeff\u4e00\u4e01\u4e02".encode("utf-16-le") * 9,
    FLOATS, bytes(4) + FLOATS[:40], bytes(4) + b"\1" + bytes(508), b"\1" + FLOATS,
    bytes(4) + struct.pack("<64f", *[1e9] * 64), bytes(4) + struct.pack("<64f", *[1e-20] * 64),
    bytes(4) + struct.pack("<64f", *[float("nan")] * 64)]
"""Bytes that are no kind, or nearly one."""
