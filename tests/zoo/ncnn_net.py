# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Writes the base network as ncnn's text param and its weights."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from efm3.arrays import Array, Floats
from tests.zoo.base import Part, Walk

MAGIC, HALF = 7767517, 0x01306B47


class Net(Walk):
    """Convolution, BatchNorm without an epsilon, PReLU; InnerProduct at the end, no norm.

    A layer is called after ours and its operation, as `stem/Convolution`.
    """

    half = False
    """Weights of convolutions in half precision."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.data: list[bytes] = []
        self.blobs = 0
        self._count: dict[str, int] = {}

    def several(self, kind: str, inputs: list[str], count: int, **params: Any) -> list[str]:
        """A layer with `count` outputs; p3=1 is its parameter 3."""
        name = f"{self.at}/{kind}"
        number = self._count[name] = self._count.get(name, -1) + 1
        name += f"_{number}" if number else ""
        out = [f"{name}:{i}" for i in range(count)]
        words = [kind, name, str(len(inputs)), str(count), *inputs, *out]
        words += [f"{k[1:]}={self._text(v)}" for k, v in params.items()]
        self.lines.append(" ".join(words))
        self.blobs += count
        return out

    @staticmethod
    def _text(v: Any) -> str:
        return f"{v:.9e}" if isinstance(v, float) else str(v)

    def op(self, kind: str, *inputs: str, **params: Any) -> str:
        """A layer with one output, which is returned."""
        return self.several(kind, [*inputs], 1, **params)[0]

    def put(self, *values: Array) -> None:
        """Plain numbers of the layer that comes next."""
        self.data += [np.asarray(v, "<f4").tobytes() for v in values]

    def weight(self, w: Array) -> None:
        """A convolution's weight, which has a word in front that says its type."""
        if self.half:
            raw = np.asarray(w, "<f2").tobytes()
            self.data += [np.uint32(HALF).tobytes(), raw, bytes(-len(raw) % 4)]
        else:
            self.data.append(bytes(4))
            self.put(w)

    # The network.

    def picture(self) -> str:
        return self.op("Input")

    def fork(self, x: str) -> tuple[str, str]:
        a, b = self.several("Split", [x], 2)
        return a, b

    def arrays(self, part: Part) -> tuple[Array, Array | None]:
        """The convolution's weight and bias."""
        return part.w, None

    def geometry(self, part: Part) -> dict[str, Any]:
        """The convolution's parameters, its weight's size and its bias aside."""
        layer = part.layer
        own = {"p0": layer.out_channels, "p1": layer.kernel, "p11": layer.kernel,
               "p3": layer.stride, "p13": layer.stride, "p4": layer.padding, "p14": layer.padding}
        return own | {"p7": layer.groups} if layer.groups > 1 else own

    def conv(self, part: Part, x: str) -> str:
        w, bias = self.arrays(part)
        self.weight(w)
        if bias is not None:
            self.put(bias)
        more = {"p5": int(bias is not None), "p6": w.size}
        if part.name == "embed_proj":
            return self.op("InnerProduct", x, p0=len(w), p1=more["p5"], p2=w.size)
        own = self.geometry(part)
        return self.op("ConvolutionDepthWise" if "p7" in own else "Convolution", x, **own, **more)

    def bn(self, part: Part, x: str) -> str:
        self.put(part.gamma, part.mean, part.var + np.float32(1e-5), part.beta)
        return self.op("BatchNorm", x, p0=len(part.w))

    def act(self, part: Part, slope: Floats, x: str) -> str:
        self.put(slope)
        return self.op("PReLU", x, p0=len(slope))

    def add(self, part: Part, skip: str, x: str) -> str:
        return self.op("BinaryOp", x, skip, p0=0)

    def flat(self, x: str) -> str:
        return x

    def unit(self, x: str) -> str:
        return x

    # The files.

    def save(self, folder: Path) -> Path:
        """Writes both files into the folder."""
        last = self.walk()
        assert self.lines[-1].split()[-1] == last or f" {last}" in self.lines[-1]
        head = [str(MAGIC), f"{len(self.lines)} {self.blobs}"]
        (folder / "zoo.ncnn.bin").write_bytes(b"".join(self.data))
        path = folder / "zoo.ncnn.param"
        path.write_text("\n".join([*head, *self.lines, ""]))
        self.last = last
        return path

    def feed(self, x: Floats) -> Array:
        """EFM3's input as this network takes it."""
        return x

    def run(self, path: Path, x: Floats) -> Array | None:
        """The last output by ncnn, where that is installed."""
        if find_spec("ncnn") is None:
            return None
        import ncnn

        net = ncnn.Net()
        # Its own half precision would differ by more than the zoo allows.
        net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
        net.opt.use_bf16_storage = False
        net.opt.num_threads = 1
        assert net.load_param(str(path)) == 0
        assert net.load_model(str(path.with_suffix(".bin"))) == 0
        rows = []
        for u in self.feed(x):
            runner = net.create_extractor()
            runner.input(self.lines[0].split()[4], ncnn.Mat(np.ascontiguousarray(u)).clone())
            rows.append(np.array(runner.extract(self.last)[1]).reshape(-1))
        return np.stack(rows)
