# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Files that are text: pointers, pages, JSON, the layers of networks as text."""

from __future__ import annotations

import codecs
import re

from efm3.findings import printable
from efm3.sniff._kinds import KINDS, Kind

SHORTEST = 8
"""Fewer characters are not called a text."""
MARKS = 8
"""More U+FFFD than this in a head were bytes that somebody took for text."""
_CONTROL = re.compile(r"[\0-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f-\x9f]")
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"),
         (codecs.BOM_UTF16_BE, "utf-16-be"))
_LFS = re.compile(r"version https://(?:git-lfs|hawser)\S*\s+(?:ext-\S+ \S+\s+)*"
                  r"oid sha256:([0-9a-f]{1,64})\s+size ([0-9]{1,19})\b")
_TITLE = re.compile(r"<title[^>]*>\s*([^<]{1,200})", re.I)
_HTML = re.compile(r"<(?:!doctype|html|head|body|title|meta|script)\b", re.I)
_XML = re.compile(r"<\?xml\b|<[A-Za-z][\w:.-]*(?:\s[^<>]*)?/?>")
_OPENVINO = re.compile(r"(?:<\?xml[^>]*>\s*)?<net\s[^>]*name=")
_JSON = re.compile(r"\{\s*[\"}]|\[\s*(?:[\[\]{\"0-9.-]|true|false|null)")
_SYMBOL = re.compile(r"\{\s*\"nodes\"\s*:\s*\[\s*\{\s*\"(?:op|name|inputs|attrs?|param)\"")
_TFJS = re.compile(r"\"(?:weightsManifest|modelTopology)\"\s*:|\"format\"\s*:\s*\"(?:graph|layers)-"
                   r"model\"|^\[\s*\{\s*\"(?:weights|paths)\"\s*:\s*\[")
_NCNN = re.compile(r"\s*7767517\s")
_PROTOTXT = re.compile(r"(?:#[^\n]*\n\s*)*(?:name|input|input_shape|input_dim|layers?|state|"
                       r"force_backward)\s*[:{]")
_LAYER = re.compile(r"\blayers?\s*\{|\binput_(?:dim|shape)\b")
_PICKLE = re.compile(r"\(?[dl]p[0-9]*\n|c(?:collections|copy_reg|numpy|torch|__builtin__)"
                     r"[\w.]*\n\w+\n")
_C_ARRAY = re.compile(r"// Written by `efm3 convert`|"
                      r"\[\] = \{\s*0x45,\s*0x46,\s*0x4d,\s*0x33,", re.I)


def decode(head: bytes, whole: bool = False) -> tuple[str, str]:
    """(text, encoding) of a head of UTF-8 or, behind its mark, UTF-16; ("", "") where it is none.

    A character that the head's end cuts is left out, unless the head is the `whole` file.
    """
    mark, encoding = next(((m, e) for m, e in _BOMS if head.startswith(m)), (b"", "utf-8"))
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head[len(mark):], final=whole)
    except UnicodeDecodeError:
        return "", ""
    return text, encoding


def is_text(text: str, encoding: str) -> bool:
    """True for characters as people write them: none that only controls, hardly one lost."""
    if _CONTROL.search(text) or text.count("\ufffd") > MARKS:
        return False
    # Nearly any bytes are some characters of UTF-16.
    return encoding == "utf-8" or 2 * sum(map(str.isascii, text)) > len(text)


def is_replaced(text: str) -> bool:
    """True where what was decoded are binary data in which bytes were replaced by U+FFFD."""
    return text.count("\ufffd") > MARKS and bool(_CONTROL.search(text))


def of_text(text: str, encoding: str, tail: bytes = b"") -> Kind | None:
    """The kind of a text; `tail` is the end of the file."""
    text = text.lstrip()
    while text.startswith("<!--") and "-->" in text:
        text = text.partition("-->")[2].lstrip()
    kind = _of_text(text, tail)
    if kind is not None and encoding != "utf-8":
        # The readers of text take UTF-8 alone.
        advice = "save it again as UTF-8" if kind.format else kind.advice
        kind = kind._replace(format="", advice=advice, detail=f"{kind.detail} in UTF-16")
    return kind


def _of_text(text: str, tail: bytes) -> Kind | None:
    pointer = _LFS.match(text)
    if pointer:
        size = int(pointer[2])
        return KINDS["lfs"]._replace(detail=f" (it promises {size:,} byte{'s' * (size != 1)}, "
                                            f"SHA-256 {pointer[1][:16]})")
    if _HTML.match(text):
        title = _TITLE.search(text)
        return KINDS["html"]._replace(detail=f" ({_quoted(title[1])})" if title else "")
    if _OPENVINO.match(text):
        return KINDS["openvino_xml"]
    if _XML.match(text):
        return KINDS["xml"]
    if _JSON.match(text):
        return _of_json(text, tail)
    if _NCNN.match(text):
        return KINDS["pnnx" if "pnnx.Input" in text else "ncnn_param"]
    if _C_ARRAY.search(text):
        return KINDS["c_array"]
    if _PROTOTXT.match(text) and _LAYER.search(text):
        return KINDS["prototxt"]
    if text.startswith("%PDF-"):
        return KINDS["pdf"]
    if _PICKLE.match(text):
        return KINDS["pickle"]
    if len(text) < SHORTEST:
        return None
    return KINDS["text"]._replace(detail=f" that begins {_quoted(text)}")


def _of_json(text: str, tail: bytes) -> Kind:
    if _SYMBOL.match(text) or (b'"arg_nodes"' in tail and '"nodes"' in text):
        return KINDS["mxnet_symbol"]
    if _TFJS.search(text) or b'"weightsManifest"' in tail:
        return KINDS["tfjs_model"]
    return KINDS["json"]._replace(detail=f" that begins {_quoted(text)}")


def _quoted(text: str) -> str:
    """The first words of foreign text, on one line."""
    words = " ".join(text[:200].split())
    return f'"{printable(words[:48])}{"…" if len(words) > 48 else ""}"'
