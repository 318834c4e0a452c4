# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The table of kinds: what each is called, which rule names it, and what to do with it."""

from __future__ import annotations

import os
from typing import NamedTuple

from efm3.findings import printable

LONGEST = 200
"""A longer path is not put into a sentence."""


class Kind(NamedTuple):
    """A kind of file. The last three fields say what one file adds to its row of the table."""

    name: str
    title: str
    """As it stands after "this is": a noun with its article."""
    rule: str
    """The validator's rule that names such a file; "" for EFM3 itself."""
    known: str
    """What it is recognised by."""
    format: str = ""
    """The converter's format that reads it; "" where none does."""
    advice: str = ""
    """What to do where no converter reads it."""
    detail: str = ""
    """What this file says of itself, after the title."""
    beside: str = ""
    """The name of the file in the same folder that it goes with."""
    source: str = ""
    """The name of the file that the converter is given: this one, or the one beside it."""

    def todo(self, path: str = "") -> str:
        """What to do with such a file at `path`: the command that converts it, or the advice."""
        if self.advice or not self.format or self.name == "efm3":
            return self.advice
        return f"convert it with `efm3 convert {_word(path, self.source)} OUT.bin`"

    def says(self, path: str = "") -> str:
        """What it is and what to do, as the second half of a sentence."""
        todo = self.todo(path)
        return f"{self.title}{self.detail}" + (f"; {todo}" if todo else "")


def _word(path: str, name: str) -> str:
    """The path as it is typed in a shell, or FILE; `name` is another one in the same folder."""
    if name:
        path = os.path.join(os.path.dirname(path), name)
    if not path or len(path) > LONGEST or printable(path) != path:
        return "FILE"
    from shlex import quote

    return quote(path)


_ORIGINAL = "convert the model that it was made from (ONNX, TFLite or a checkpoint)"
_KERAS = "export it as ONNX or TFLite, and convert that"
_UNPACK = "unpack it, and take the file inside"
_NOT = "give the weight file instead"

_ROWS = (
    Kind("efm3", "an EFM3 file", "", "the letters EFM3", "bin"),
    Kind("empty", "an empty file", "C001", "no bytes", advice="fetch or write the file again"),
    Kind("lfs", "a Git LFS pointer, not the file itself", "C010", "its first line",
         advice="fetch the file with `git lfs pull`"),
    Kind("html", "an HTML page, as a server sends for an error or a login", "C011",
         "its first tag", advice="download again and look at the server's answer first"),
    Kind("xml", "an XML text, as a server sends for an error", "C011", "its first tag",
         advice="download again and look at the server's answer first"),
    Kind("gzip", "a gzip file", "C012", "1F 8B 08", advice="unpack it with gunzip"),
    Kind("torch", "a PyTorch checkpoint", "C013", "a zip archive with data.pkl", "torch"),
    Kind("torchscript", "a TorchScript archive", "C013",
         "a zip archive with data.pkl and code", "torch"),
    Kind("torch_export", "a program of torch.export", "C013",
         "a zip archive with models/model.json or serialized_exported_program.json",
         advice="save its module's state_dict, or export the model as ONNX"),
    Kind("npz", "a NumPy archive", "C013", "a zip archive of .npy files", "npz"),
    Kind("keras", "a Keras archive", "C013", "a zip archive with config.json and weights",
         advice=_KERAS),
    Kind("mlpackage", "a Core ML package", "C013", "a zip archive with com.apple.CoreML",
         advice=_ORIGINAL),
    Kind("zip", "a zip archive", "C013", "the letters PK", advice=_UNPACK),
    Kind("torch_legacy", "a PyTorch checkpoint of the old form", "C014",
         "a pickle of PyTorch's own number", "torch"),
    Kind("pickle", "a Python pickle", "C014", "its first opcodes", "torch"),
    Kind("onnx", "an ONNX model", "C015", "the fields of a ModelProto", "onnx"),
    Kind("safetensors", "a safetensors file", "C016", "a length and a JSON header",
         "safetensors"),
    Kind("gguf", "a GGUF file", "C017", "the letters GGUF",
         advice="it holds other networks; " + _NOT),
    Kind("npy", "a NumPy array", "C018", "93 and the letters NUMPY",
         advice="save all tensors of the layout with efm3.save"),
    Kind("facex", "an older file of the FaceX family (EFXS, EFX2)", "C019",
         "the letters EFXS or EFX2", advice="export the network again as EFM3"),
    Kind("efm3_big", "an EFM3 file written big-endian: the version's bytes are reversed", "C020",
         "EFM3, and the version from its other end",
         advice="write every integer and float little-endian"),
    Kind("efm3_swapped", "an EFM3 file byte-swapped in words of four", "C021", "the letters 3MFE",
         advice="write the magic as four bytes, not as an integer"),
    Kind("efm3_case", "a file marked with EFM3's magic in the wrong case", "C022",
         "the letters efm3", advice="write the magic as the bytes 45 46 4D 33"),
    Kind("efm3_bom", "an EFM3 file with a byte order mark before it", "C023",
         "EF BB BF and the letters EFM3", advice="write it in binary mode"),
    Kind("efm3_utf16", "an EFM3 file rewritten as UTF-16 text", "C024",
         "a byte order mark and the letters EFM3, two bytes each",
         advice="write it in binary mode, without a shell's `>` where that rewrites text"),
    Kind("replaced", "a binary file rewritten as text: bytes were replaced by U+FFFD", "C024",
         "control bytes and many EF BF BD in valid UTF-8",
         advice="transfer it again in binary mode: those bytes are lost"),
    Kind("zeros", "a file whose first bytes are all zero", "C025", "NULs alone",
         advice="download again: the space was reserved and never written"),
    Kind("json", "a JSON text", "C026", "a brace or a bracket, and text alone",
         advice="give the weight file, not its description or a server's answer"),
    Kind("tflite", "a TFLite network", "C027", "the letters TFL3 at byte 4", "tflite"),
    Kind("ncnn_param", "an ncnn param file", "C027", "the number 7767517", "ncnn"),
    Kind("ncnn_binary", "an ncnn param file in binary", "C027",
         "the number 7767517 in four bytes", "ncnn"),
    Kind("ncnn_bin", "an ncnn weight file", "C027",
         "the .param beside it, or ncnn's flag word before plausible numbers", "ncnn"),
    Kind("pnnx", "a PNNX param file", "C027", "the number 7767517, and layers of PNNX",
         advice="PNNX also writes .ncnn.param and .ncnn.bin: convert those"),
    Kind("mxnet_params", "an MXNet weight file", "C027",
         "the number 0x112 in eight bytes", "mxnet"),
    Kind("mxnet_symbol", "an MXNet symbol file", "C027", "JSON with nodes and their ops",
         "mxnet"),
    Kind("caffemodel", "a Caffe weight file", "C027",
         "the fields of a NetParameter", "caffe"),
    Kind("prototxt", "a Caffe prototxt", "C027", "text with layers in braces",
         "caffe"),
    Kind("hdf5", "an HDF5 file, as Keras writes", "C027", "89 and the letters HDF", advice=_KERAS),
    Kind("saved_model", "a TensorFlow SavedModel", "C027", "the fields of a SavedModel",
         advice=_KERAS),
    Kind("tf_graph", "a TensorFlow graph", "C027", "the fields of a GraphDef", advice=_KERAS),
    Kind("tfjs_model", "a TensorFlow.js model file", "C027",
         "JSON with a topology or a weights manifest", advice=_ORIGINAL),
    Kind("tfjs_shard", "a TensorFlow.js weight file", "C027",
         "its name, and the model.json beside it", advice=_ORIGINAL),
    Kind("openvino_xml", "an OpenVINO model file", "C027", "XML whose first tag is net",
         advice=_ORIGINAL),
    Kind("openvino_bin", "an OpenVINO weight file", "C027", "the .xml beside it",
         advice=_ORIGINAL),
    Kind("coreml", "a Core ML network", "C027", "the fields of a Model", advice=_ORIGINAL),
    Kind("mnn", "an MNN network, by its name", "C027", "the suffix .mnn and a FlatBuffer",
         advice=_ORIGINAL),
    Kind("rknn", "an RKNN network", "C027", "the letters RKNN", advice=_ORIGINAL),
    Kind("tensorrt", "a TensorRT engine", "C027", "the letters ptrt or ftrt", advice=_ORIGINAL),
    Kind("executorch", "an ExecuTorch program", "C027", "the letters ET12 at byte 4",
         advice=_ORIGINAL),
    Kind("ort", "a network of ONNX Runtime's own form", "C027", "the letters ORTM at byte 4",
         advice="convert the .onnx that it was made from"),
    Kind("png", "a PNG picture", "C028", "89 and the letters PNG", advice=_NOT),
    Kind("jpeg", "a JPEG picture", "C028", "FF D8 FF", advice=_NOT),
    Kind("gif", "a GIF picture", "C028", "the letters GIF87a or GIF89a", advice=_NOT),
    Kind("webp", "a WebP picture", "C028", "the letters RIFF, and WEBP at byte 8", advice=_NOT),
    Kind("bmp", "a BMP picture", "C028", "the letters BM, its length and its header's",
         advice=_NOT),
    Kind("tiff", "a TIFF picture", "C028", "the letters II or MM, and 42", advice=_NOT),
    Kind("heic", "a HEIC or AVIF picture", "C028", "the letters ftyp at byte 4, and a brand",
         advice=_NOT),
    Kind("jp2", "a JPEG 2000 picture", "C028", "its signature box", advice=_NOT),
    Kind("jxl", "a JPEG XL picture", "C028", "its signature box", advice=_NOT),
    Kind("tga", "a TGA picture", "C028", "TRUEVISION-XFILE at its end", advice=_NOT),
    Kind("pnm", "a PNM picture", "C028", "the letter P, a digit and a size", advice=_NOT),
    Kind("pdf", "a PDF document", "C028", "the letters %PDF-", advice=_NOT),
    Kind("tar", "a tar archive", "C029", "the letters ustar at byte 257", advice=_UNPACK),
    Kind("xz", "an xz file", "C029", "FD and the letters 7zXZ", advice=_UNPACK),
    Kind("bzip2", "a bzip2 file", "C029", "the letters BZh and a block's number", advice=_UNPACK),
    Kind("zstd", "a Zstandard file", "C029", "28 B5 2F FD", advice=_UNPACK),
    Kind("lz4", "an LZ4 file", "C029", "04 22 4D 18", advice=_UNPACK),
    Kind("7z", "a 7z archive", "C029", "the letters 7z and BC AF 27 1C", advice=_UNPACK),
    Kind("rar", "a RAR archive", "C029", "the letters Rar!", advice=_UNPACK),
    Kind("c_array", "a C array that `efm3 convert` wrote", "C030", "its first lines", "c_array"),
    Kind("text", "a plain text", "C030", "text alone", advice=_NOT),
)

KINDS: dict[str, Kind] = {kind.name: kind for kind in _ROWS}
"""Every kind by its name, in the order of their rules."""

MAGICS: tuple[tuple[str, int, bytes], ...] = (
    ("efm3_swapped", 0, b"3MFE"), ("efm3_case", 0, b"efm3"), ("efm3_case", 0, b"Efm3"),
    ("efm3_bom", 0, b"\xef\xbb\xbfEFM3"),
    ("efm3_utf16", 0, b"\xff\xfeE\0F\0M\x003\0"), ("efm3_utf16", 0, b"\xfe\xff\0E\0F\0M\x003"),
    ("facex", 0, b"EFXS"), ("facex", 0, b"EFX2"), ("lfs", 0, b"version https://git-lfs"),
    ("html", 0, b"<!DOCTYPE html"), ("html", 0, b"<!doctype html"), ("html", 0, b"<html"),
    ("ncnn_param", 0, b"7767517\n"),
    ("torch_legacy", 0, b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."),
    ("gguf", 0, b"GGUF"), ("npy", 0, b"\x93NUMPY"), ("tflite", 4, b"TFL3"),
    ("executorch", 4, b"ET12"), ("ort", 4, b"ORTM"),
    ("mxnet_params", 0, b"\x12\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
    ("ncnn_binary", 0, b"\xdd\x85\x76\0"), ("ncnn_bin", 0, b"\x47\x6b\x30\1"),
    ("ncnn_bin", 0, b"\x38\x4b\x0d\0"), ("ncnn_bin", 0, b"\x56\xc0\2\0"),
    ("hdf5", 0, b"\x89HDF\r\n\x1a\n"), ("rknn", 0, b"RKNN"), ("rknn", 0, b"CYPTRKNN"),
    ("tensorrt", 0, b"ptrt"), ("tensorrt", 0, b"ftrt"),
    ("png", 0, b"\x89PNG\r\n\x1a\n"), ("gif", 0, b"GIF87a"), ("gif", 0, b"GIF89a"),
    ("webp", 8, b"WEBPVP8"), ("tiff", 0, b"II*\0"), ("tiff", 0, b"MM\0*"),
    ("tiff", 0, b"II+\0\x08\0\0\0"), ("tiff", 0, b"MM\0+\0\x08\0\0"),
    ("jp2", 0, b"\0\0\0\x0cjP  \r\n\x87\n"), ("jxl", 0, b"\0\0\0\x0cJXL \r\n\x87\n"),
    ("pdf", 0, b"%PDF-"),
    ("tar", 257, b"ustar"), ("xz", 0, b"\xfd7zXZ\0"), ("zstd", 0, b"\x28\xb5\x2f\xfd"),
    ("bzip2", 4, b"1AY&SY"), ("lz4", 0, b"\4\x22\x4d\x18"), ("7z", 0, b"7z\xbc\xaf\x27\x1c"),
    ("rar", 0, b"Rar!\x1a\7"), ("zip", 0, b"PK\3\4"), ("zip", 0, b"PK\5\6"),
)
"""Kinds that fixed bytes at a fixed place prove: name, offset, bytes; the most telling first."""
