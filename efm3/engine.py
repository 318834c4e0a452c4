# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The C engine: embeddings of 112x112 faces on the CPU."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from efm3 import format as fmt
from efm3 import mirror as mirrors
from efm3.arch import Arch, Stage
from efm3.arrays import Array, Floats
from efm3.findings import Efm3Error, refuse, shown
from efm3.findings import error as failure
from efm3.model import Model, dumps, load
from efm3.precision import PRECISIONS
from efm3.reading import scan_of
from efm3.scan import Scan, scan
from efm3.source import Source, Unreadable, name_of, path_of

if TYPE_CHECKING:
    import numpy.typing as npt
    from typing_extensions import Self

SIDE = fmt.INPUT_SIDE
CHW = (fmt.INPUT_CHANNELS, SIDE, SIDE)
HWC = (SIDE, SIDE, fmt.INPUT_CHANNELS)
# Images per call into C: Python can handle Ctrl-C between two calls.
_PIECE = 256

RULE_OF_THUMB = 0.3
"""The original page's threshold of the similarity, for trained weights."""


class Threshold(NamedTuple):
    """Above `value` two faces are taken for one person; `origin` is "meta" or "rule_of_thumb"."""

    value: float
    origin: str
    words: str


MISSING = ("the C engine was not built: install a C compiler, then install efm3 again "
           "(every other part of efm3 works without it)")


class EngineMissing(RuntimeError):
    """The extension is not available."""


def _extension() -> Any:
    try:
        return import_module("efm3._engine")
    except ImportError as e:
        raise EngineMissing(f"{MISSING} [{e}]") from None


def _reason(code: str, said: str, scanned: Scan, path: str) -> str:
    """What the engine said of a file, and what the file really is where that is known.

    It takes what was read of a long file for all of it.
    """
    from efm3 import rules

    if code == "E_TRAILING" and not scanned.whole:
        has = "what is read has at least" if scanned.more else "the file has"
        said = f"the header asks for {scanned.stated} bytes, {has} {scanned.size}"
    elif not scanned.whole:
        said += f"; read no further, of {'more' if scanned.more else f'{scanned.size:,} bytes'}"
    why = rules.cause(scanned, path)
    return f"{said}; {why}" if why else said


def _library() -> tuple[Any, Any]:
    module = _extension()
    return module.ffi, module.lib


def available() -> bool:
    """True where the extension was built."""
    try:
        _extension()
    except EngineMissing:
        return False
    return True


@dataclass(frozen=True)
class EngineLayer:
    """A layer as the engine runs it, in the words of `network.Layer`; `macs` for one image.

    `arithmetic` is "f32", "bf16", "i16" or "i8", the stem's that for uint8 pictures;
    `weight_bytes` what its weights take in memory.
    """

    name: str
    in_channels: int
    out_channels: int
    kernel: int
    stride: int
    padding: int
    groups: int
    act: bool
    residual: bool
    in_side: int
    out_side: int
    macs: int
    arithmetic: str
    weight_bytes: int


def isas() -> dict[str, bool]:
    """Instruction sets that are compiled in, best first, and whether this machine has them."""
    ffi, lib = _library()
    return {ffi.string(lib.mfn_isa_name(i)).decode(): bool(lib.mfn_isa_supported(i))
            for i in range(lib.mfn_isa_count())}


def _word(isa: str) -> bytes:
    """An instruction set's name for C, which ends it at a NUL. Raises Efm3Error E_ISA."""
    if "\0" in isa:
        refuse("E_ISA", "the name holds a NUL", "isa", shown(isa), " or ".join(isas()))
    return isa.encode("utf-8", "backslashreplace")


def fma_peak(isa: str) -> float:
    """Multiply-adds per second of one core with this instruction set, measured now.

    Raises Efm3Error E_ISA for a name with a NUL.
    """
    _, lib = _library()
    return float(lib.mfn_fma_peak(_word(isa)))


def threshold(source: Source | Scan) -> Threshold:
    """What the file's meta states, else 0.3.

    meta.threshold, which `efm3 train` chooses at FAR meta.threshold_far, goes before
    scores.held_out.threshold, the most accurate one of that set. The file is a stranger's: what is
    no number between -1 and 1 states nothing. Raises Unreadable.
    """
    try:
        meta = load(source).mirror.get("meta")
    except Efm3Error:
        # The engine skips the mirror, so it takes files that are damaged there.
        meta = None
    if (chosen := _stated(meta, "threshold")) is not None:
        far = _stated(meta, "threshold_far") or 0
        at = f" at FAR {far:.4g}" if far > 0 else ""
        return Threshold(chosen, "meta", f"the threshold{at} that the file's meta states")
    if (best := _stated(meta, "scores", "held_out", "threshold")) is not None:
        return Threshold(best, "meta", "the threshold for one person that the file's meta states")
    return Threshold(RULE_OF_THUMB, "rule_of_thumb", "the rule of thumb for one person; the "
                     "file's meta states none")


def _stated(meta: object, *path: str) -> float | None:
    """The number from -1 to 1 that lies there."""
    for key in path:
        meta = meta.get(key) if isinstance(meta, dict) else None
    if isinstance(meta, bool) or not isinstance(meta, (int, float)) or not -1 <= meta <= 1:
        return None
    return float(meta)


def similarity(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Dot product of two embeddings, which have length 1: their cosine, -1..1."""
    u, v = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if u.ndim != 1 or u.shape != v.shape or u.size == 0:
        raise ValueError(f"embeddings have shapes {u.shape} and {v.shape}, not twice [D]")
    return float(u @ v)


class Held:
    """What is held until `close`, or until the block of a `with` ends."""

    _handle: Any = None

    def __enter__(self) -> Self:
        self._live()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of it; calls that still run in other threads end first."""
        self._handle = None

    def _live(self) -> Any:
        handle = self._handle
        if handle is None:
            raise ValueError("the engine is closed")
        return handle


def batch(images: npt.ArrayLike) -> tuple[Array, bool]:
    """Pictures as [N, 112, 112, 3] of uint8 or [N, 3, 112, 112] of float32, and whether it is one
    picture, without N. Raises what `Engine.embed` does for their type and shape."""
    a = np.asarray(images)
    item = {np.dtype(np.uint8): HWC, np.dtype(np.float32): CHW}.get(a.dtype)
    if item is None or isinstance(images, np.ma.MaskedArray):
        raise TypeError(f"images are {type(images).__name__} of {a.dtype}, not uint8 "
                        "[N, 112, 112, 3] or float32 [N, 3, 112, 112]")
    if a.ndim not in (3, 4) or a.shape[-3:] != item:
        raise ValueError(f"images are {a.dtype} of shape {list(a.shape)}, not uint8 "
                         "[N, 112, 112, 3] or float32 [N, 3, 112, 112]")
    return a.reshape(-1, *item), a.ndim == 3


class Engine(Held):
    """A loaded network. Many threads may use one engine at once, but not during close().

    `isa` is one of `isas()`, or None for the best (or what MFN_ISA says); `threads`, 1..64,
    spreads batches. Pictures and inputs are given upright: where the file's network takes them
    turned by 180 degrees (`turned`) they are turned here, unless `as_given` is true. `precision`
    is one of `efm3.precision.PRECISIONS`: the file is the same, its weights are rounded at load,
    and the result depends on its picture alone; `layers` says what each layer runs in. Raises
    Efm3Error (a ValueError) with the engine's status as code and the byte offset, TypeError, and
    EngineMissing where the extension was not built.
    """

    def __init__(self, source: Source | Model | Scan, *, isa: str | None = None,
                 threads: int = 1, as_given: bool = False, precision: str = "f32") -> None:
        self._ffi, self._lib = _library()
        if isa is not None and not isinstance(isa, str):
            raise TypeError(f"isa is {isa!r}, not a name")
        if isinstance(threads, bool) or not isinstance(threads, int):
            raise TypeError(f"threads is {threads!r}, not an integer")
        if not 1 <= threads < 1 << 31:
            raise ValueError(f"threads is {threads}, not 1..64")
        if precision not in PRECISIONS:
            raise ValueError(f"precision is {precision!r}, not one of {', '.join(PRECISIONS)}")
        if isinstance(source, Model):
            turned = mirrors.picture(source.mirror) == fmt.TURNED if as_given else source.turned
            scanned = scan(dumps(source.arch, source.tensors, finite=False,
                                 mirror_extra=mirrors.as_turned({}) if turned else None))
            name, path = "<model>", ""
        else:
            if not isinstance(source, (str, os.PathLike, bytes, bytearray, memoryview,
                                       Scan)) and not hasattr(source, "read"):
                raise TypeError(f"source is {source!r}, not a path, bytes, a file or a Model")
            name, path = name_of(source), path_of(source)
            try:
                scanned = scan_of(source)
            except Unreadable as e:
                raise failure("IO001", str(e), name) from e
        ffi, lib = self._ffi, self._lib
        word = ffi.new("char[]", _word(isa)) if isa is not None else ffi.NULL
        options = ffi.new("MfnOptions *", {"isa": word, "threads": threads,
                                            "as_given": bool(as_given),
                                            "precision": PRECISIONS.index(precision)})
        error = ffi.new("MfnError *")
        handle = ffi.new("MfnEngine *")
        buffer = ffi.from_buffer(scanned.data)
        if lib.mfn_engine_init_memory(buffer, len(buffer), options, handle, error):
            code = ffi.string(lib.mfn_status_name(error.status)).decode()
            offset = int(error.offset)
            refuse(code, _reason(code, ffi.string(error.text).decode(), scanned, path), name,
                   offset=offset if offset >= 0 else None)
        # The handle outlives every call that holds it; it is freed when no call uses it any more.
        self._handle = ffi.gc(handle, lib.mfn_engine_free)
        self._info = ffi.new("MfnInfo *")
        lib.mfn_engine_info(handle, self._info)

    def __repr__(self) -> str:
        what = "closed" if self._handle is None else f"{self.isa}, [{self.embedding_dim}]"
        return f"<efm3.Engine {what}>"

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("an Engine cannot be copied or pickled; load it again")

    @property
    def embedding_dim(self) -> int:
        """Length D of an embedding."""
        return int(self._info.embedding_dim)

    @property
    def isa(self) -> str:
        """The instruction set in use."""
        return str(self._ffi.string(self._info.isa).decode())

    @property
    def threads(self) -> int:
        """Threads that a batch may use, the caller's own among them."""
        return int(self._info.threads)

    @property
    def precision(self) -> str:
        """The precision that was asked for."""
        return PRECISIONS[self._info.precision]

    @property
    def arithmetic(self) -> str:
        """What pointwise layers run in, but those of so many inputs that they stay in f32."""
        # Behind the stem only pointwise layers have another than f32.
        return next((x.arithmetic for x in self.layers[1:] if x.arithmetic != "f32"), "f32")

    @property
    def weight_bytes(self) -> int:
        """What the weights take in memory."""
        return int(self._info.weight_bytes)

    @property
    def turned(self) -> bool:
        """True where the file's network takes its picture turned by 180 degrees.

        Raises Efm3Error E_PICTURE where the file says something unknown of its picture.
        """
        said = int(self._lib.mfn_engine_turned(self._live()))
        self._check(min(said, 0))
        return said == 1

    @property
    def macs(self) -> int:
        """Multiply-adds of one image."""
        return int(self._info.macs)

    @property
    def scratch_bytes(self) -> int:
        """Working memory of one call."""
        return int(self._info.scratch_bytes)

    @property
    def arch(self) -> Arch:
        """The network's shape as the engine read it; the header has no name."""
        i = self._info
        stages = tuple(Stage(i.stage_t[k], i.stage_n[k], i.stage_s[k]) for k in range(i.n_stages))
        return Arch("", 0.0, i.stem_channels, i.block_channels, i.final_channels, i.embedding_dim,
                    i.gdc_kernel, stages, i.stem_kernel, i.stem_stride)

    @property
    def layers(self) -> list[EngineLayer]:
        """Every layer in order of execution."""
        out = []
        row = self._ffi.new("MfnLayerInfo *")
        for i in range(self._info.n_layers):
            self._lib.mfn_engine_layer(self._live(), i, row)
            out.append(EngineLayer(
                self._ffi.string(row.name).decode(), row.c_in, row.c_out, row.kernel, row.stride,
                row.pad, row.groups, bool(row.has_act), bool(row.has_residual), row.h_in,
                row.h_out, int(row.macs), self._ffi.string(row.arithmetic).decode(),
                int(row.weight_bytes)))
        return out

    def embed(self, images: npt.ArrayLike) -> Floats:
        """Embeddings of length 1: float32 [N, D], or [D] for one image.

        `images` are upright: uint8 RGB [112, 112, 3] or [N, 112, 112, 3], or float32
        [3, 112, 112] or [N, 3, 112, 112] with values (p - 127.5) / 128; or a list of such.
        Raises TypeError for another type, ValueError for another shape, Efm3Error E_PICTURE where
        the file says something unknown of its picture.
        """
        pixels, single = batch(images)
        if pixels.size and any(step == 0 and n > 1 for step, n in zip(
                pixels.strides, pixels.shape, strict=True)):
            raise ValueError("images repeat memory (stride 0): copy them first")
        ffi, lib, handle = self._ffi, self._lib, self._live()
        pixels = np.ascontiguousarray(pixels)
        out = np.empty((len(pixels), self.embedding_dim), np.float32)
        u8 = pixels.dtype == np.uint8
        forward = lib.mfn_engine_forward_u8 if u8 else lib.mfn_engine_forward_batch
        for at in range(0, len(pixels), _PIECE):
            piece, into = pixels[at:at + _PIECE], out[at:at + _PIECE]
            self._check(forward(
                handle, ffi.from_buffer("uint8_t[]" if u8 else "float[]", piece), len(piece),
                ffi.from_buffer("float[]", into, require_writable=True)))
        return out[0] if single else out

    def activations(self, image: npt.ArrayLike) -> dict[str, Floats]:
        """Every layer's output [C, side, side] for one upright float32 image [3, 112, 112].

        Where every value is that of a pixel, they are the maps of those pixels.
        """
        x = np.ascontiguousarray(image)
        if x.dtype != np.float32 or x.shape != CHW:
            raise ValueError(f"image is {x.dtype} {list(x.shape)}, not float32 [3, 112, 112]")
        flat = np.empty(int(self._info.trace_floats), np.float32)
        ffi = self._ffi
        self._check(self._lib.mfn_engine_trace(
            self._live(), ffi.from_buffer("float[]", x),
            ffi.from_buffer("float[]", flat, require_writable=True), len(flat)))
        out, at = {}, 0
        for layer in self.layers:
            n = layer.out_channels * layer.out_side ** 2
            out[layer.name] = flat[at:at + n].reshape(
                layer.out_channels, layer.out_side, layer.out_side)
            at += n
        return out

    def profile(self, image: npt.ArrayLike, repeats: int = 20) -> dict[str, float]:
        """Least seconds of each layer in `repeats` passes, by name; its bands of rows are added.

        Where every value of `image` is that of a pixel, they are the times of those pixels.
        """
        x = np.ascontiguousarray(image, np.float32)
        if x.shape != CHW or not 1 <= repeats < 1 << 31:
            raise ValueError(f"image is {list(x.shape)}, repeats {repeats}")
        times = np.empty(int(self._info.n_layers), np.float64)
        ffi = self._ffi
        self._check(self._lib.mfn_engine_profile(
            self._live(), ffi.from_buffer("float[]", x), repeats,
            ffi.from_buffer("double[]", times, require_writable=True), len(times)))
        return {layer.name: float(t) for layer, t in zip(self.layers, times, strict=True)}

    def _check(self, status: int) -> None:
        if status:
            ffi, lib = self._ffi, self._lib
            code = ffi.string(lib.mfn_status_name(status)).decode()
            refuse(code, ffi.string(lib.mfn_strerror(status)).decode())
