# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the page's programs take from the suite's declarations, as a module of JavaScript."""

from __future__ import annotations

import json
from typing import Any

from efm3 import format as fmt
from efm3.arch import ARCHS
from efm3.codes import CODES, LEVELS
from efm3.network import BN_TENSORS, file_size
from efm3.photos.align import TEMPLATE
from efm3.scan import MAX_TENSORS
from efm3.version import __version__

EXAMPLES = ("a_1.png", "a_2.png", "b_1.png", "b_2.png")
"""Pictures that the page offers to try a network with."""

HEAD = """\
// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
// Made by `python -m tools.page` from efm3/format.py and others.
"""


def declared() -> dict[str, Any]:
    """The fields of the prefix, sizes and limits, the keys of the mirror, the published networks,
    where the five points of a face lie, the engine's codes, and the deepest level."""
    fields = [{"path": f.path, "offset": f.offset, "size": f.size, "doc": f.doc,
               "number": f.size in (1, 2, 4) and f.path != "magic", "lo": f.con.lo,
               "hi": f.con.hi, "step": f.con.step} for f in fmt.FIELDS.values()]
    consts = {
        "magic": fmt.MAGIC.hex(" "), "prefixSize": fmt.PREFIX_SIZE, "countSize": fmt.COUNT_SIZE,
        "maxJsonLen": fmt.MAX_JSON_LEN, "maxJsonDepth": fmt.MAX_JSON_DEPTH,
        "stageSlots": fmt.STAGE_SLOTS,
        "inputSide": fmt.INPUT_SIDE, "inputChannels": fmt.INPUT_CHANNELS,
        "maxBlocks": fmt.MAX_BLOCKS, "maxExpanded": fmt.MAX_EXPANDED, "maxTensors": MAX_TENSORS,
        "bnTensors": list(BN_TENSORS), "turned": fmt.TURNED, "upright": fmt.UPRIGHT}
    engine = {c: {"what": row.what, "fix": row.fix} for c, row in CODES.items()
              if c.startswith("E_")}
    sizes = {name: {"size": file_size(arch, 0), "stem": arch.stem_channels,
                    "block": arch.block_channels, "final": arch.final_channels,
                    "dim": arch.embedding_dim, "gdc": arch.gdc_kernel,
                    "kernel": arch.stem_kernel, "stride": arch.stem_stride,
                    "stages": [[s.t, s.n, s.s] for s in arch.stages]}
             for name, arch in ARCHS.items()}
    return {"version": __version__, "fields": fields, "consts": consts, "sizes": sizes,
            "mirrorKeys": [k for k, _ in fmt.MIRROR_KEYS], "metaKeys": fmt.META_KEYS,
            "template": [list(p) for p in TEMPLATE], "engine": engine, "examples": list(EXAMPLES),
            "level": LEVELS[-1]}


def module() -> str:
    """The text of declared.js."""
    return f"{HEAD}export const declared = {json.dumps(declared(), separators=(',', ':'))};\n"
