# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 extract`: write one tensor to a .npy file."""

from __future__ import annotations

import io
import sys

import click

from efm3.cli import separate, source
from efm3.cli._kinds import FILE, TENSOR
from efm3.cli._names import meant
from efm3.texts import dumps


@click.command("extract")
@click.argument("file", type=FILE)
@click.argument("tensor", type=TENSOR)
@click.option("-o", "--output", required=True, metavar="X.npy", type=FILE,
              help="where to write; - is standard output")
@click.option("--json", "as_json", is_flag=True, help="say what was written as one JSON object")
def command(file: str, tensor: str, output: str, as_json: bool) -> None:
    """Write TENSOR of FILE (- is standard input) as float32 with its shape.

    \b
    efm3 extract weights.bin stem.conv.w -o stem.npy

    Exit codes: 0 written, 1 FILE is broken, 2 no such tensor (or usage), 3 unreadable.
    """
    import numpy as np

    from efm3.model import load
    from efm3.source import write_atomic

    if as_json and output == "-":
        raise click.UsageError("--json and -o - both write to standard output")
    separate([file], [output])
    tensors = load(source(file), level="structure").tensors
    if tensor not in tensors:
        raise click.BadParameter(f"no tensor {tensor!r}{meant(tensor, tensors)}",
                                 param_hint="TENSOR")
    buffer = io.BytesIO()
    np.save(buffer, tensors[tensor], allow_pickle=False)
    if output == "-":
        sys.stdout.buffer.write(buffer.getvalue())
    else:
        write_atomic(output, [buffer.getvalue()])
        if as_json:
            click.echo(dumps({"file": file, "tensor": tensor, "output": output,
                                   "dtype": "float32", "shape": list(tensors[tensor].shape)}))
