# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The engine's numbers are the declaration's."""

import re

from efm3 import format as fmt
from efm3.forms import FORMS


def test_offsets_and_limits():
    macros = dict(re.findall(r"#define MFN_FMT_(\w+) (.+)", FORMS["c-header"].text()))
    for f in fmt.FIELDS.values():
        name = f.path.removeprefix("arch.").upper()
        if f.path.startswith("arch.") and "[" not in f.path:
            assert macros[f"OFF_{name}"] == str(f.offset)
            if f.con.lo < f.con.hi:
                assert macros[f"MIN_{name}"] == str(f.con.lo)
                assert macros[f"MAX_{name}"] == str(f.con.hi)
    for k in "tns":
        con = fmt.FIELDS[f"arch.stages[0].{k}"].con
        assert macros[f"MAX_STAGE_{k.upper()}"] == str(con.hi)
    assert macros["PREFIX_SIZE"] == "92" and macros["MAGIC"] == '"EFM3"'
    assert (macros["MAX_BLOCKS"], macros["MAX_EXPANDED"]) == ("256", "65535")
