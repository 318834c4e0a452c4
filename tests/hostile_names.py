# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Hostile names, files that hold them, and what reads each kind of output as its own parser does.

EFM3_NAMES is the number of names, 3 where it is not set; `make test-long` takes 30, and
`make names` 1,000.
"""

from __future__ import annotations

import csv
import html.parser
import io
import json
import os
import random
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from markdown_it import MarkdownIt

from efm3 import bulk, untrained
from efm3.conformance import sample
from tests.convert import caffe_files, checkpoint_files, mxnet_files, ncnn_files
from tests.convert.tflite_files import Writer

PARTS = ("\x1b[31m", "\x1b]0;x\x07", "\x9b1m", "\u202e", "\u2066", "\u2028", "\x85", "\n", "\r",
         "\n::error::x", "\n::stop-commands::x", "%0A", "%", ",", ":", "::", '"', "'", "<", ">",
         "&", "]]>", "<script>", "</title>", "\udcff", "\udc80", "\ufffe", "\U0001f600", "ä",
         "=1+1", "-", "@", "\t", " ", "\\", "\\udcff", "\\\\", "a", "b.bin", "{0}", "$(x)", "`x`",
         "\x7f", "\x01", "\u200b", "[/red]", "[bold]")
COUNT = int(os.environ.get("EFM3_NAMES", "3"))


def hostile(count: int, longest: int = 12, seed: int = 20) -> list[str]:
    """So many different names of parts that mean something to some output."""
    draw, found = random.Random(seed), dict[str, None]()
    while len(found) < count:
        name = "".join(draw.choice(PARTS) for _ in range(draw.randint(1, longest)))
        # What a name of a file may be.
        name = name.replace("/", "|")
        if 0 < len(os.fsencode(name)) < 200 and name not in (".", "..") and not name.isspace():
            found[name] = None
    return list(found)


def encodable(name: str) -> str:
    """The name as a text that a file in UTF-8 can hold."""
    return name.encode("utf-8", "replace").decode()


def is_plain(text: str) -> bool:
    """True where a terminal and a log show it as what it is, line by line."""
    return all(c == "\n" or c.isprintable() for c in text)


def strings(value: Any) -> Any:
    """Every text in a parsed JSON value."""
    if isinstance(value, dict):
        for k, v in value.items():
            yield k
            yield from strings(v)
    elif isinstance(value, list):
        for v in value:
            yield from strings(v)
    elif isinstance(value, str):
        yield value


def json_of(text: str) -> Any:
    """The value of a JSON text, which is ASCII or visible, and has no lone surrogate."""
    assert text.isascii()
    value = json.loads(text)
    for word in strings(value):
        word.encode()
    return value


def lines_of_json(text: str) -> None:
    """Each line is a JSON object."""
    for line in text.splitlines():
        assert isinstance(json_of(line), dict)


def github_lines(text: str) -> None:
    """Each line is a command that GitHub knows, with a file and a title."""
    for line in text.splitlines():
        assert re.fullmatch("::(error|warning|notice) file=[^:,]*,title=[^:,]*::.*", line), line
    plain(text)


def plain(text: str) -> None:
    """What a terminal shows; no line is a command to GitHub but those of `github_lines`."""
    assert is_plain(text), text
    assert not re.search("^::(?!(error|warning|notice) file=)", text, re.M), text


def sheet_of_cells(text: str) -> None:
    """A CSV of as many cells in each row, none of them a formula."""
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert len({len(row) for row in rows}) == 1
    for cell in (c for row in rows for c in row):
        assert cell[:1] not in tuple("\t\r\n"), cell
        begins = cell.lstrip()[:1]
        assert begins not in tuple("=+@"), cell
        assert begins != "-" or np.isfinite(float(cell)), cell


class _Tags(html.parser.HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags, self.loads = set[str](), list[str]()
        self.ids, self.links, self.styles = list[str](), list[str](), list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for key, value in attrs:
            assert not key.startswith("on") and is_plain(value or ""), key
            if key == "id":
                self.ids.append(value or "")
            if key == "href" and tag == "a" and (value or "").startswith("#"):
                self.links.append((value or "")[1:])
            elif key == "style":
                self.styles.append(value or "")
            elif key in ("src", "href", "data", "action"):
                self.loads.append(value or "")


OURS = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "small", "div",
        "figure", "figcaption", "b", "bdi", "img", "main", "code", "br", "table", "thead", "tbody",
        "tr", "th", "td", "strong", "span", "details", "summary", "ul", "li", "abbr",
        "header", "section", "footer", "caption", "dl", "dt", "dd", "ol", "h4", "a", "pre",
        "svg", "desc", "g", "path", "rect", "text", "line", "circle"}


def _tags(text: str) -> _Tags:
    """The tags of HTML in which there are ours alone."""
    plain(text)
    found = _Tags()
    found.feed(text)
    found.close()
    assert found.tags <= OURS
    return found


def page(text: str) -> None:
    """A page of our own tags, that loads nothing, whose links lead to a place in it."""
    found = _tags(text)
    assert len(found.ids) == len({*found.ids}) and {*found.links} <= {*found.ids}
    assert "title" in found.tags and not found.styles
    assert all(v.startswith("data:image/jpeg;base64,") for v in found.loads)


def fragment(text: str) -> None:
    """A part of somebody's page: our own tags, no sheet of styles, and nothing to load."""
    found = _tags(text)
    assert not found.tags & {"html", "head", "title", "style", "body", "img"} and not found.loads
    assert not any("(" in style or "\\" in style for style in found.styles)  # nor url()


def svg(text: str) -> None:
    """A badge: XML of the five tags that it is made of."""
    plain(text)
    tags = {e.tag.rpartition("}")[2] for e in ElementTree.fromstring(text).iter()}
    assert tags == {"svg", "title", "rect", "g", "text"}


def junit(text: str) -> None:
    """XML of JUnit's tags, whose texts a terminal may show."""
    for e in ElementTree.fromstring(text).iter():
        assert e.tag in ("testsuites", "testsuite", "testcase", "failure", "error", "skipped",
                         "system-out")
        plain(e.text or "")
        assert all(map(str.isprintable, e.attrib.values())), e.attrib


def markdown(text: str) -> None:
    """No HTML but the breaks of lines, no picture and no link."""
    plain(text)
    for token in MarkdownIt("commonmark", {"html": True}).enable("table").parse(text):
        kinds = {t.type for t in token.children or ()} | {token.type}
        assert not kinds & {"html_block", "image", "link_open"}, token
        assert all(t.content == "<br>" for t in token.children or () if t.type == "html_inline")


def source_of_c(text: str) -> None:
    """C whose comments are lines, so that none ends early and none goes on."""
    assert text.isascii() and is_plain(text)
    assert not re.search(r"/\*|\*/|\\$|\?\?/", text, re.M)


PARSERS = {"text": plain, "json": json_of, "jsonl": lines_of_json, "sarif": json_of,
           "github": github_lines, "csv": sheet_of_cells, "html": page, "svg": svg, "junit": junit,
           "md": markdown, "h": source_of_c}
"""By the kind of an output, or the end of a file's name, what fails where it is not as it should.
"""


def weights(name: str) -> bytes:
    """A sound file whose mirror has the name wherever it may have a text."""
    text = encodable(name).replace("\0", "")
    return sample.with_mirror(lambda m: m | {"name": text, f"x{text}": text, "meta": {
        text: text, "description": text, "source": text, "licence": text, "created": text,
        "training_data": [text]}})(untrained.dumps(sample.ARCH, 1))


def foreign(name: str) -> None:
    """Files of the other formats, each with the name as that of a tensor, a layer or an operator;
    beside the name, in the working folder."""
    text = encodable(name).replace("\0", "")
    word = "".join(text.split()) or "x"
    quoted = re.sub(r'["\\\r\n]', "_", text)
    zeros = np.zeros(3, np.float32)
    named: dict[str, Any] = {text.replace("/", "|"): zeros}
    np.savez(f"{name}.npz", **named)
    head = json.dumps({text: {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]}}).encode()
    _put(f"{name}.safetensors", len(head).to_bytes(8, "little") + head + bytes(12))
    _put(f"{name}.pt", checkpoint_files.archive({text: checkpoint_files.tensor(zeros)}))
    _put(f"{name}.param", ncnn_files.text(["Input in 0 1 in", f"{word} {word} 1 1 in {word}"])
         .encode())
    _put(f"{name}.ncnn.bin", b"")
    _put(f"{name}.prototxt", caffe_files.text(
        [caffe_files.Layer(quoted, quoted, ("data",), (quoted,))]).encode())
    _put(f"{name}.caffemodel", caffe_files.model([]))
    nodes = [{"op": op, "name": own, "inputs": i} for op, own, i in (
        ("null", "data", []), (text, text, [[0, 0, 0]]))]
    _put(f"{name}.json", json.dumps({"nodes": nodes, "arg_nodes": [0], "heads": [[1, 0, 0]],
                                     "attrs": {"mxnet_version": ["int", 10901]}}).encode())
    _put(f"{name}.params", mxnet_files.arrays({f"arg:{text}": zeros}))
    w = Writer()
    _put(f"{name}.tflite", w.data([w.op(text, [], [3], text, custom=True)]))
    _put(f"{name}.onnx", _onnx(text))


def _onnx(text: str) -> bytes:
    from onnx import TensorProto, helper

    node = helper.make_node(text, ["x"], [f"y{text}"], text)
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, (1, 3, 112, 112))
            for n in ("x", f"y{text}")]
    graph = helper.make_graph([node], text, ends[:1], ends[1:])
    made: bytes = helper.make_model(graph).SerializeToString()
    return made


def _put(path: str, data: bytes) -> None:
    with open(path, "wb") as f:
        f.write(data)


PROGRAM = """\
import itertools, json, sys
names = itertools.cycle(json.load(open("names.json")))
for line in sys.stdin:
    ask, name = json.loads(line), next(names)
    if ask["cmd"] == "stop":
        break
    own = "x" + name.encode("utf-8", "replace").decode()
    out = {"seq": ask["seq"], "ok": False, "reason": name} if ask["cmd"] != "start" else {
        "version": 1, "ready": True, "implementation": {"name": own, "version": own}}
    if ask["cmd"] != "start" and ask["seq"] % 3 == 0:
        out = {"seq": ask["seq"], "ok": True, "document": {name: name}}
    print(json.dumps(out), flush=True)
"""


def scene(names: list[str]) -> None:
    """In the working folder: for each name files of all kinds that are called so and hold it, and
    tables and a program that have all names."""
    for i, name in enumerate(names):
        data = weights(name)
        _put(f"{name}.bin", data)
        _put(f"{name}.odd.bin", sample.field("arch.stem_stride", 0)(data) if i % 20 else b"EFM3")
        if i == 0:
            np.save("picture.npy", untrained.images(4, 1)[0])
            _put("w.bin", untrained.dumps(sample.ARCH, 1))
        os.link("picture.npy", f"{name}.npy")
        pair = encodable(name).replace("\t", " ")
        _put(f"{name}.txt", f"{pair}\t{pair}.npy\t1\n{pair}\tpicture.npy\t0\n".encode())
        foreign(name)
    pictures = [f"{n}.{end}" for n in names for end in ("npy", "gone.png")]
    for end in ("npz", "csv", "jsonl"):
        bulk.embed("w.bin", [*pictures, "picture.npy"], f"{names[0]}.t.{end}")
    Path("names.json").write_text(json.dumps(names))
    Path("program.py").write_text(PROGRAM)
    os.mkdir("out")
