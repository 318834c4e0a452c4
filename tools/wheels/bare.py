# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The extension of a wheel used without Python, where there is none for its C library.

A program that is linked to that library loads the extension as Python would, and computes an
embedding by the engine's functions in it, which is compared with the reference in numpy.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np

from efm3 import arithmetic, pictures, reference
from efm3.model import load
from tools import ROOT
from tools.foreign import platforms
from tools.release import BuildFailed, pack
from tools.wheels import compiled
from tools.wheels.targets import Target

SOURCE = Path(__file__).with_name("bare.c")
WEIGHTS, PICTURE = ROOT / "weights" / "facex_nano.bin", ROOT / "examples" / "a_1.png"


def attempt(wheel: Path, target: Target, loader: list[str], folder: Path) -> str:
    """Load and use the extension of a wheel, in `folder`; what computed. `loader` are the words
    that start a program for the target. Raises BuildFailed."""
    extension = folder / Path(target.member).name
    extension.write_bytes(pack.members(wheel)[target.member])
    names = "".join(f"NAME({name})\n" for name in compiled.python_names(extension))
    (folder / "names.h").write_text(names, encoding="ascii")
    program = folder / "bare"
    compiled.run([str(platforms.ZIG), "cc", "-target", target.triple, "-dynamic", "-rdynamic",
                  "-O1", "-fno-builtin", f"-I{folder}", f"-I{ROOT / 'engine' / 'include'}",
                  str(SOURCE), "-o", str(program)], folder)
    pixels = pictures.read(PICTURE).pixels
    done = subprocess.run([*loader, str(program), str(extension), str(WEIGHTS)], check=False,
                          input=pixels.tobytes(), capture_output=True)
    if done.returncode:
        raise BuildFailed(f"{wheel.name}: its extension, loaded by a program: exit "
                          f"{done.returncode}\n{done.stderr.decode(errors='replace')[-2000:]}")
    isa, *values = done.stdout.decode("ascii").split()
    wanted = reference.forward(load(WEIGHTS), reference.prepare(pixels[None]))[0]
    error = float(np.abs(np.array(values, np.float64) - wanted).max())
    if not error <= arithmetic.TOLERANCE:
        raise BuildFailed(f"{wheel.name}: with {isa} an embedding is {error:.2g} from the "
                          "reference's")
    return f"its extension alone, loaded by a program for musl, computed with {isa}"
