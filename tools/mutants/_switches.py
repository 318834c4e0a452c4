# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The switches of `_grammar.Grammar`, each with the case that it alone gets wrong.

`LENIENT`: what a parser takes that the mirror's grammar refuses. `STRICT`: what is legal, and a
parser refuses. `NUMBERS`, `SPACES` and `ESCAPES` say what some of the lenient ones take.
"""

from __future__ import annotations

NUMBERS = {
    "leading zero": "0[0-9]+", "leading zero after a minus": "-0[0-9]+", "plus": r"\+[0-9]+",
    "point last": r"[0-9]+\.", "point first": r"\.[0-9]+", "point first after a minus":
    r"-\.[0-9]+", "exponent empty": "[0-9]+e", "exponent of a sign": r"[0-9]+e\+",
    "point before the exponent": r"[0-9]+\.e[0-9]+", "hex": "0x[0-9A-F]+", "octal": "0o[0-7]+",
    "minus alone": "-", "two minus signs": "--[0-9]+", "underscore": "[0-9]+_[0-9]+",
    "two points": r"[0-9]+\.[0-9]+\.[0-9]+", "digits of another script": "[\u0660-\u0669]+",
    "full-width digits": "[\uff10-\uff19]+", "a suffix": "[0-9]+[fFLn]",
    "NaN": "NaN", "Infinity": "Infinity", "-Infinity": "-Infinity", "nan": "nan", "inf": "inf",
    "True": "True", "TRUE": "TRUE", "None": "None", "undefined": "undefined", "a cut word": "nul",
    "a long word": "nulll", "a word without quotes": "word",
}
"""Switch to the tokens that it takes for a value."""

SPACES = {"\v": "vertical tab", "\f": "form feed", "\xa0": "no-break space", "\x85": "next line",
          "\u2028": "line separator", "\u3000": "wide space", "\ufeff": "U+FEFF",
          "\u200b": "zero-width space", "\0": "nul between tokens"}
"""Character to the switch that takes it for white space."""

ESCAPES = {"x": "escape x", "v": "escape v", "'": "escape '", "0": "escape 0", "a": "escape a",
           "e": "escape e", "U": "escape U", "\n": "line continued", "q": "escape of any letter"}
"""Letter after a backslash to the switch that takes it."""

RAW = ("00", "01", "07", "08", "09", "0a", "0b", "0c", "0d", "1b", "1f")
"""Control characters, as two hex digits, that a string must not hold as they are."""

_M003 = ("continuation", "overlong 2", "overlong 3", "overlong 4", "surrogate bytes", "beyond",
         "five bytes", "never", "cut")
_M011 = (
    *(n for n in NUMBERS if n not in ("NaN", "Infinity", "-Infinity")), *SPACES.values(),
    *ESCAPES.values(), *(f"raw {n}" for n in RAW),
    "single quotes", "keys without quotes", "equals for a colon", "no colon", "two colons",
    "semicolon for a comma", "any bracket closes", "comment //", "comment /*", "comment #",
    *(f"{what} an {where}" for where in ("object", "array")
      for what in ("no comma in", "two commas in", "comma first in", "comma last in")),
    "u escape of 3 digits", "u escape with a sign", "u escape with a space",
    "u escape of other letters",
    *(f"ends {where}" for where in (
        "in a string", "after a backslash", "inside a u escape", "inside a word",
        "after a minus", "after a key", "after a colon", "after a comma", "after a bracket",
        "before a bracket")))
_REST = {
    "M002": ("byte order mark",),
    "M004": ("depth 17", "depth of arrays alone", "depth of objects alone", "depth of each kind"),
    "M005": ("keys twice at depth 1", "keys twice at depth 2", "keys twice at depth 3",
             "keys compared as spelled"),
    "M006": ("NaN", "Infinity", "-Infinity"),
    "M007": ("21 digits", "plus overflows", "minus overflows", "exponent of 32 bits"),
    "M008": ("nul by escape",),
    "M009": ("lone high half", "lone low half", "halves exchanged",
             "high half before another escape", "high half before a pair"),
    "M010": ("after: newline", "after: return", "after: tab", "after: nul", "after: anything"),
    "M012": ("an array around it", "the text in a string"),
}
_STRICT = (
    "no spaces", "no tabs", "no line feeds", "no returns", "no capital E",
    "no plus in an exponent", "no exponent", "19 digits at most", "no depth 16",
    "depth never falls", "no empty objects", "no empty arrays", "no empty keys",
    *(f"no escape {c}" for c in '"\\/bfnrt'), "no upper-case hex digits",
    "no pairs of surrogates", "no raw DEL", "no raw U+2028", "no raw U+FEFF",
    "no raw character of four bytes")

_MARKS = {"'": "quote", '"': "double-quote", "\\": "backslash", "/": "slash", "#": "hash",
          "//": "slashes", "/*": "star", "Infinity": "infinity", "-Infinity": "minus-infinity",
          "TRUE": "true-upper-case", "escape U": "escape-u-upper-case"}


def _slug(switch: str) -> str:
    """A switch as a part of a case's ID."""
    words = _MARKS.get(switch) or " ".join(_MARKS.get(w, w) for w in switch.split())
    return "-".join(words.lower().replace("u+", "u").replace(":", "").split())


LENIENT = {switch: f"bad-{code.lower()}-alone-{_slug(switch)}" for code, switches in (
    {"M003": tuple(f"UTF-8: {n}" for n in _M003), "M011": _M011} | _REST).items()
    for switch in switches}
"""Switch to its case, which is refused for nothing else."""

STRICT = {switch: f"valid-json-{_slug(switch).removeprefix('no-')}" for switch in _STRICT}
"""Switch to its case, a legal file."""
