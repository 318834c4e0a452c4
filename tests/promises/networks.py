# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Networks of other runtimes that ask for much or for what is not theirs: name to a folder's files.

Each is small, is written here byte by byte, and must be refused. The first file is the one that is
given to the reader.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterator

import numpy as np

from tests.convert import caffe_files
from tests.convert.checkpoint_files import Call, New, Tensor, archive, script, scripted
from tests.convert.tflite_files import Many, encode
from tests.kinds import field, varint

Files = dict[str, bytes]
BIG = 1 << 40


def _text(*words: str | int | bytes) -> bytes:
    return b"".join(field(n, w) for n, w in zip(words[::2], words[1::2], strict=True)
                    if isinstance(n, int) and isinstance(w, (int, bytes)))


def _shape(*sizes: int) -> bytes:
    return field(2, b"".join(field(1, field(1, s)) for s in sizes))


def _value(name: bytes, *sizes: int) -> bytes:
    return _text(1, name) + field(2, field(1, field(1, 1) + _shape(*sizes)))


def _ints(name: bytes, *values: int) -> bytes:
    return field(5, field(1, name) + b"".join(field(8, v % (1 << 64)) for v in values)
                 + field(20, 7))


def _node(op: bytes, inputs: list[bytes], outputs: list[bytes], *attributes: bytes) -> bytes:
    return field(1, b"".join(field(1, i) for i in inputs) + b"".join(field(2, o) for o in outputs)
                 + field(4, op) + b"".join(attributes))


def _tensor(name: bytes, dims: list[int], kind: int = 1, **own: bytes) -> bytes:
    """An initializer; `raw` its bytes, `more` other fields."""
    return field(5, b"".join(field(1, d % (1 << 64)) for d in dims) + field(2, kind)
                 + field(8, name) + (field(9, own["raw"]) if "raw" in own else b"")
                 + own.get("more", b""))


def _long(name: bytes, *values: int) -> bytes:
    return _tensor(name, [len(values)], 7, raw=struct.pack(f"<{len(values)}q", *values))


def onnx_of(*parts: bytes, picture: tuple[int, ...] = (1, 3, 112, 112), out: bytes = b"y",
            more: bytes = b"") -> Files:
    """A model of these parts of a graph, written as protobuf lays it out."""
    graph = b"".join(parts) + field(11, _value(b"x", *picture)) + field(12, field(1, out))
    return {"net.onnx": field(1, 8) + field(7, graph) + field(8, field(2, 17)) + more}


def _outside(location: bytes, *more: tuple[bytes, bytes]) -> Files:
    """A weight whose data lie elsewhere."""
    entries = ((b"location", location), *more)
    told = b"".join(field(13, field(1, k) + field(2, v)) for k, v in entries) + field(14, 1)
    return onnx_of(_node(b"Conv", [b"x", b"w"], [b"y"]), _tensor(b"w", [8, 3, 3, 3], more=told))


def onnx() -> Iterator[tuple[str, Files]]:
    """Graphs that would grow, shapes that lie, and data that are not theirs."""
    x, y = [b"x"], [b"y"]
    add = [_node(b"Add", [f"v{i}".encode(), b"c"], [f"v{i + 1}".encode()]) for i in range(30_000)]
    yield "chain", onnx_of(_node(b"Relu", x, [b"v0"]), *add, _tensor(b"c", [1], raw=bytes(4)),
                           out=b"v30000")
    for name, links in _chains().items():
        yield f"row of {name}", onnx_of(_tensor(b"c", [1], raw=struct.pack("<f", -0.5)),
                                        _long(b"s", 1, 3, 112, 112), _long(b"t", 1, 112, 3, 112),
                                        *links, out=b"v0")
    twice = [_node(b"Concat", [f"v{i}".encode()] * 2, [f"v{i + 1}".encode()],
                   field(5, field(1, b"axis") + field(3, 0) + field(20, 2))) for i in range(60)]
    yield "doubling", onnx_of(_tensor(b"v0", [1], raw=bytes(4)), *twice,
                              _node(b"Add", [b"x", b"v60"], y))
    for op, sizes in (("ConstantOfShape", (1 << 15, 1 << 15)), ("Range", (0, BIG, 1)),
                      ("Expand", (1 << 20, 1 << 20)), ("Tile", (1 << 20,)),
                      ("EyeLike", (1 << 20, 1 << 20)), ("OneHot", (1 << 30,))):
        ones = [_long(f"s{i}".encode(), s) for i, s in enumerate(sizes)]
        one = [_long(b"s", *sizes)]
        inputs = {"Range": [b"s0", b"s1", b"s2"], "Expand": [b"one", b"s"], "Tile": [b"one", b"s"],
                  "OneHot": [b"s", b"s", b"one"]}.get(op, [b"s"])
        yield f"grows by {op}", onnx_of(
            *ones, *one, _tensor(b"one", [1], raw=bytes(4)), _node(op.encode(), inputs, [b"k"]),
            _node(b"Add", [b"x", b"k"], y))
    for name, dims in (("negative", [-1, 3]), ("wraps", [1 << 32, 1 << 32]), ("zero", [0, 1 << 62]),
                       ("deep", [1] * 4000)):
        yield f"weight {name}", onnx_of(_tensor(b"w", dims, raw=bytes(64)),
                                        _node(b"Conv", [b"x", b"w"], y))
    weight = _tensor(b"w", [8, 3, 3, 3], raw=bytes(864))
    for name, values in (("kernel_shape", (BIG, BIG)), ("strides", (0, 0)), ("pads", (-BIG,) * 4),
                         ("dilations", (BIG, BIG)), ("strides", (BIG, 1)), ("pads", (BIG,) * 4)):
        yield f"conv {name} {values[0]}", onnx_of(
            weight, _node(b"Conv", [b"x", b"w"], y, _ints(name.encode(), *values)))
    yield "huge picture", onnx_of(weight, _node(b"Conv", [b"x", b"w"], y),
                                  picture=(1, 3, 1 << 31, 1 << 31))
    yield "reshape", onnx_of(_long(b"s", -1, 1 << 62), _node(b"Reshape", [b"x", b"s"], y))
    yield "wide node", onnx_of(_node(b"Concat", [b"x"] * 60_000, y))
    yield "many names", onnx_of(*[_tensor(b"", [0])] * 200_000, _node(b"Relu", x, y))
    yield "its own input", onnx_of(_node(b"Add", [b"x", b"y"], y))
    yield "deep graphs", onnx_of(_node(b"If", x, y, _nested(400)))
    for name, place in (("up", b"../up.bin"), ("absolute", b"/etc/passwd"), ("NUL", b"a\0b"),
                        ("device", b"/dev/zero"), ("itself", b"."), ("long", b"a" * 70_000),
                        ("back", b"x/../../up.bin"), ("url", b"file:///etc/passwd")):
        yield f"outside {name}", {**_outside(place)}
    for key, value in ((b"offset", b"-1"), (b"length", b"9" * 30), (b"offset", b"9" * 6000),
                       (b"length", b"1e9")):
        yield f"outside {key.decode()} {len(value)}", {**_outside(b"w.bin", (key, value)),
                                                     "w.bin": bytes(100)}
    yield "endless number", {"net.onnx": b"\x08" + b"\xff" * 5000}
    yield "group", {"net.onnx": b"\x0b" * 5000}


_NO: list[bytes] = []


def _chains(count: int = 9_900) -> dict[str, list[bytes]]:
    """Long rows of what the rewrites look for; each ends in v0."""
    turned = [_ints(b"perm", 0, 2, 3, 1), _ints(b"perm", 0, 3, 1, 2)]
    rows: dict[str, list[tuple[bytes, list[bytes], list[bytes]]]] = {
        "Transposes": [(b"Transpose", [b"."], [turned[i % 2]]) for i in range(count)],
        "turns alike": [(b"Transpose", [b"."], [turned[0]]) for _ in range(count)],
        "sums": [(b"Mul" if i % 2 else b"Add", [b".", b"c"], []) for i in range(count)],
        "slopes": [(b"Relu" if i % 2 else b"Neg", [b"."], []) for i in range(count)],
        "doublings": [(b"Add", [b".", b"."], []) for _ in range(count)],
        "shapes": [(b"Reshape", [b".", b"s"], []) for _ in range(count)],
        "turns above": [(b"Relu", [b"."], [])] * 58 + [
            (b"Transpose", [b"."], [turned[0]]) for _ in range(count)],
        "turns above logs": [(b"Exp", [b"."], [])] * 58 + [
            (b"Transpose", [b"."], [turned[i % 3 > 1]]) for i in range(count)],
        "shapes above": [(b"Exp", [b"."], _NO)] * 58 + [
            (b"Reshape", [b".", b"s" if i % 2 else b"t"], _NO) for i in range(count)],
        "turned pieces": [(b"Relu" if i % 8 else b"Transpose", [b"."], [] if i % 8 else [turned[0]])
                          for i in range(count)],
        "choices": [(b"Max" if i % 2 else b"Min", [b".", b"c"], []) for i in range(count)]}
    out = {}
    for name, row in rows.items():
        names = [b"x", *(f"v{i}".encode() for i in range(len(row) - 1, -1, -1))]
        out[name] = [_node(op, [names[i] if n == b"." else n for n in inputs], [names[i + 1]], *own)
                     for i, (op, inputs, own) in enumerate(row)]
    return out


def _nested(depth: int) -> bytes:
    graph = b""
    for _ in range(depth):
        graph = field(5, field(1, b"then_branch") + field(6, field(1, field(4, b"If") + graph))
                      + field(20, 5))
    return graph


def tflite() -> Iterator[tuple[str, Files]]:
    """Tables that are not where they should be, and operators that would grow."""
    yield "all ones", {"net.tflite": struct.pack("<I", 28) + b"TFL3" + b"\xff" * 4000}
    yield "itself", {"net.tflite": struct.pack("<I4sI", 8, b"TFL3", 0) + bytes(400)}
    yield "no tables", {"net.tflite": encode({})}
    yield "many codes", {"net.tflite": encode({0: ("I", 3), 1: Many([{}] * 70_000)})}
    yield "many graphs", {"net.tflite": encode({0: ("I", 3), 2: Many([{}] * 9000)})}


def ncnn() -> Iterator[tuple[str, Files]]:
    """Texts whose numbers are beyond measure, and weights that are not there."""
    def text(*lines: str, count: str = "2 2", weights: int = 0) -> Files:
        return {"net.param": "\n".join(["7767517", count, *lines, ""]).encode(),
                "net.bin": bytes(weights)}
    start = "Input data 0 1 data"
    for count in ("99999999 99999999", "-1 -1", "1e9 2", "9" * 5000 + " 2", "0 0"):
        yield f"count {count[:12]}", text(start, "ReLU a 1 1 data y", count=count)
    for own in ("0=99999999999", "0=-1 1=3", f"0={'9' * 4500}", "0=1e999", "-23303=1000000000,1",
                f"-23300={'1,' * 9000}", "0=8 1=65535 6=2147483647", "0=nan", "0=8 1=3 3=0 6=216",
                "1000000=1", "0=8 1=3 2=1000000000 6=216", "0=8 1=3 4=1000000000 6=216"):
        yield f"own {own[:24]}", text(start, f"Convolution c 1 1 data y {own}", weights=868)
    yield "many tops", text(start, "Split s 1 100000 data " + " ".join(map(str, range(100_000))))
    yield "wide tiles", text(start, "Tile t 1 1 data y 0=0 1=1000000000")
    yield "interp", text(start, "Interp t 1 1 data y 0=1 1=1e9 2=1e9")
    yield "a line", text(start, "Padding p 1 1 data y " + "0=1 " * 200_000)
    yield "reads itself", text(start, "ReLU a 1 1 y y")


def mxnet() -> Iterator[tuple[str, Files]]:
    """Symbols that lead in circles, and arrays that state more than there is."""
    def symbol(value: object, params: bytes = bytes(24)) -> Files:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return {"net-symbol.json": body, "net-0000.params": params}
    head = struct.pack("<QQQ", 0x112, 0, 1)
    for name, params in (("count", struct.pack("<QQQ", 0x112, 0, 1 << 62)),
                         ("rank", head + struct.pack("<II", 0xF993FAC9, 1 << 31)),
                         ("dims", head + struct.pack("<IiI4q", 0xF993FAC9, 0, 4, *[1 << 61] * 4)),
                         ("minus", head + struct.pack("<IiI1q", 0xF993FAC9, 0, 1, -1)),
                         ("names", struct.pack("<QQQ", 0x112, 0, 0) + struct.pack("<Q", 1 << 60))):
        yield f"arrays {name}", symbol({"nodes": [], "heads": [], "arg_nodes": []}, params)
    empty = struct.pack("<QQQQ", 0x112, 0, 0, 0)
    yield "nested", symbol(b"[" * 200_000, empty)
    yield "circle", symbol({"nodes": [{"op": "Activation", "name": "a", "inputs": [[0, 0, 0]],
                                       "attrs": {"act_type": "relu"}}], "heads": [[0, 0, 0]],
                            "arg_nodes": []}, empty)
    data = {"op": "null", "name": "data", "inputs": []}
    for attrs in ({"kernel": "(99999999999, 99999999999)"}, {"kernel": "(" + "1," * 9000 + ")"},
                  {"kernel": "(1, 1)", "num_filter": "9" * 5000}, {"kernel": "((((" * 90 + "1"},
                  {"kernel": "__import__('os').system('true')"}, {"num_group": "-1"},
                  {"kernel": "(3, 3)", "pad": "(1e9, 1e9)", "num_filter": "8"}):
        conv = {"op": "Convolution", "name": "c", "inputs": [[0, 0, 0]], "attrs": attrs}
        yield f"conv {str(attrs)[:28]}", symbol(
            {"nodes": [data, conv], "heads": [[1, 0, 0]], "arg_nodes": [0]}, empty)
    yield "heads", symbol({"nodes": [data], "heads": [[1 << 70, -1, "x"]], "arg_nodes": {}}, empty)
    yield "number", symbol(b'{"nodes": [], "heads": ' + b"9" * 100_000 + b"}", empty)


def caffe() -> Iterator[tuple[str, Files]]:
    """Texts that are deep, long or state what cannot be, and weights of other numbers."""
    def text(body: str, weights: bytes = b"") -> Files:
        some = caffe_files.model([caffe_files.Layer("Convolution", "c", ("data",), (), (ones,))])
        return {"net.prototxt": body.encode(), "net.caffemodel": weights or some}
    ones = np.ones((8, 3, 3, 3), np.float32)
    start = 'layer { name: "data" type: "Input" top: "data" input_param { shape { %s } } }\n'
    for name, dims in (("huge", "dim: 1 dim: 3 dim: 999999999999 dim: 999999999999"),
                       ("minus", "dim: -1 dim: 3"), ("many", "dim: 1 " * 20_000),
                       ("word", "dim: nan")):
        yield f"picture {name}", text(start % dims)
    good = start % "dim: 1 dim: 3 dim: 112 dim: 112"
    for own in ("num_output: 99999999999999999999", "num_output: 8 kernel_size: 4294967295",
                "num_output: 8 kernel_size: 3 pad: 2147483647", "num_output: 8 kernel_size: 0",
                "num_output: 8 kernel_size: 3 stride: 0", "num_output: 8 group: 4294967295"):
        yield f"conv {own[:40]}", text(
            good + f'layer {{ name: "c" type: "Convolution" bottom: "data" top: "y" '
            f'convolution_param {{ {own} }} }}')
    yield "deep", text("layer {" * 50_000)
    yield "no end", text('layer { name: "' + "a" * 400_000)
    yield "python", text(good + 'layer { name: "p" type: "Python" bottom: "data" top: "y" '
                         'python_param { module: "os" layer: "system" } }')
    yield "blob", text(good, field(1, b"net") + field(100, field(1, b"c") + field(
        2, b"Convolution") + field(7, field(7, field(1, varint(1 << 62) * 4)))))


def torch() -> Iterator[tuple[str, Files]]:
    """Checkpoints that would run, repeat or invent."""
    def one(data: bytes) -> Files:
        return {"net.pt": data}
    for name in ("os.system", "builtins.eval", "torch.load", "numpy.load", "pathlib.Path.unlink",
                 "torch.storage._load_from_bytes", "builtins.getattr", "torch.hub.load",
                 "runpy._run_code", "operator.attrgetter", "functools.partial", "types.CodeType"):
        yield f"calls {name}", one(archive({"a.weight": Call(name, ("true",))}))
    zeros = np.zeros((8, 3, 3, 3), np.float32)
    for label, tensor in (
            ("count", Tensor(bytes(64), "Float", 1 << 60, (1 << 30, 1 << 30), (1 << 30, 1))),
            ("stride", Tensor(bytes(64), "Float", 16, (4, 4), (0, 0))),
            ("minus", Tensor(bytes(64), "Float", 16, (4, 4), (-4, -1), 15)),
            ("offset", Tensor(bytes(64), "Float", 16, (4, 4), (4, 1), 1 << 62)),
            ("rank", Tensor(bytes(64), "Float", 16, (1,) * 3000, (1,) * 3000)),
            ("negative", Tensor(bytes(64), "Float", 16, (-4, -4), (4, 1)))):
        yield f"tensor {label}", one(archive({"a.weight": zeros, "b.weight": tensor}))
    for label, body in (("deep", b"(" * 200_000), ("memo", b"N" + b"r\xff\xff\xff\xff" * 9000),
                        ("long", b"\x8b\xff\xff\xff\x7f"), ("text", b"\x8d" + b"\xff" * 8),
                        ("frame", b"\x95" + b"\xff" * 8), ("digits", b"I" + b"9" * 100_000 + b"\n"),
                        ("copies", b"]" + b"2" * 60 + b"e" * 60),
                        ("extension", b"\x84\xff\xff\xff\x7f")):
        yield f"pickle {label}", one(b"\x80\x04" + body + b".")
    loops = {
        "for ever": ["_0 = True", "while _0:", "  x = torch.add(x, x)"],
        "strings": ["s = 'a' * 1000000000", "y = x"],
        "numbers": ["n = 9 ** 9 ** 9", "y = x"],
        "zeros": ["y = torch.zeros([1000000, 1000000])"],
        "brackets": ["y = " + "(" * 20_000 + "x" + ")" * 20_000],
        "lists": ["l = [[]] * 1000000000", "y = x"],
        "recursion": ["y = (self).forward(x, )"],
        "import": ["import os", "y = os.system('true')"]}
    for name, lines in loops.items():
        yield f"script {name}", one(scripted([*lines, "return y"]))
    many = {f"__torch__.m{i}": "class A(Module):\n  __parameters__ = []\n" for i in range(3000)}
    yield "script modules", one(script(many, New("__torch__.m0.A", {"training": False})))
    for name, data in _zips().items():
        yield f"zip {name}", one(data)


def _zips() -> dict[str, bytes]:
    def packed(**entries: bytes) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
            for name, data in entries.items():
                z.writestr(name.replace("__", "/").replace("_", "."), data)
        return out.getvalue()
    bomb = packed(archive__data_pkl=bytes(300 << 20))
    whole = packed(archive__data_pkl=b"\x80\x02}.")
    return {"bomb": bomb, "front": whole[30:], "twice": whole + whole, "end": whole + bytes(70_000),
            "up": packed(**{"..__..__data_pkl": b"\x80\x02}."}),
            "wide": whole.replace(struct.pack("<I", len(b"\x80\x02}.")), b"\xff\xff\xff\x7f")}


def tensors() -> Iterator[tuple[str, Files]]:
    """safetensors, npz and the C array."""
    def safe(header: object, data: bytes = b"") -> Files:
        body = header if isinstance(header, bytes) else json.dumps(header).encode()
        return {"net.safetensors": struct.pack("<Q", len(body)) + body + data}
    yield "length", {"net.safetensors": b"\xff" * 8 + b"{}"}
    for name, own in (("ends", {"dtype": "F32", "shape": [4], "data_offsets": [0, 1 << 62]}),
                      ("wraps", {"dtype": "F32", "shape": [1 << 32] * 2, "data_offsets": [0, 0]}),
                      ("back", {"dtype": "F32", "shape": [4], "data_offsets": [16, 0]}),
                      ("real", {"dtype": "F32", "shape": [4.0], "data_offsets": [0, 16]}),
                      ("true", {"dtype": "F32", "shape": [True], "data_offsets": [0, 4]}),
                      ("type", {"dtype": "F3\x1b[31m2", "shape": [1], "data_offsets": [0, 4]}),
                      ("rank", {"dtype": "F32", "shape": [1] * 50_000, "data_offsets": [0, 4]})):
        yield f"entry {name}", safe({"conv.weight": own}, bytes(16))
    yield "deep", safe(b'{"a":' * 100_000)
    yield "twice", safe(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
                        b'"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4))
    yield "keys", safe({f"k{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
                        for i in range(20_000)})
    yield "overlap", safe({k: {"dtype": "F32", "shape": [1, 1], "data_offsets": [0, 4]}
                           for k in ("a.weight", "b.weight")}, bytes(4))
    for name, head in (("shape", "(1000000000000, 1000000000000)"), ("minus", "(-1, 4)"),
                       ("deep", "(" * 3000), ("call", "(__import__('os').system('true'),)"),
                       ("many", "(" + "1," * 3000 + ")")):
        yield f"array {name}", {"net.npz": _npz(f"{{'descr': '<f4', 'fortran_order': False, "
                                                f"'shape': {head}, }}\n".encode())}
    for kind in ("|O", "<U999999999", "V99999999999", "<f4" * 900, "[('a','<f4')]", "<M8[ns]"):
        descr = kind if kind[0] == "[" else repr(kind)
        yield f"dtype {kind[:12]}", {"net.npz": _npz(
            f"{{'descr': {descr}, 'fortran_order': False, 'shape': (4,), }}\n".encode())}
    yield "head of an array", {"net.npz": _npz(b"x", b"\x93NUMPY\x03\0\xff\xff\xff\xff")}
    for name, body in (("no end", b"const unsigned char a[] = {" + b"0x00," * 200_000),
                       ("large", b"const unsigned char a[] = {" + b"9" * 200_000 + b"};"),
                       ("size", b"const unsigned char a[99999999999] = {0};"),
                       ("signs", b"const unsigned char a[] = {-1, 256, 0x1g, '\\0'};")):
        yield f"text {name}", {"net.h": body}


def _npz(head: bytes, start: bytes = b"") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        z.writestr("stem.conv.w.npy", (start or b"\x93NUMPY\x01\0" + struct.pack("<H", len(head)))
                   + head + np.zeros(4, np.float32).tobytes())
    return out.getvalue()


KINDS: dict[str, Callable[[], Iterator[tuple[str, Files]]]] = {
    "onnx": onnx, "tflite": tflite, "ncnn": ncnn, "mxnet": mxnet, "caffe": caffe, "torch": torch,
    "tensors": tensors}
