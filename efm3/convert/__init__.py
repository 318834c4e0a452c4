# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Converters: any MobileFaceNet in, any runtime out.

`convert` converts file to file and checks the result before it is renamed into place; `read` and
`write` use a Model and do not check. The formats are the rows of FORMATS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from efm3.convert._base import Format as Format
from efm3.convert._base import Network as Network
from efm3.convert._base import Wanted as Wanted
from efm3.convert.formats import FORMATS as FORMATS
from efm3.convert.formats import format_of as format_of
from efm3.convert.formats import module_of as module_of
from efm3.convert.formats import read as read
from efm3.convert.formats import read_network as read_network
from efm3.convert.formats import write as write

if TYPE_CHECKING:
    from efm3.convert.checked import Check as Check
    from efm3.convert.checked import Conversion as Conversion
    from efm3.convert.checked import convert as convert


def __getattr__(name: str) -> Any:
    """`convert` and what it returns, with numpy, when they are first asked for."""
    if name in ("Check", "Conversion", "convert"):
        from efm3.convert import checked

        return getattr(checked, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
