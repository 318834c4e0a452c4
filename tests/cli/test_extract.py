# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 extract`: one tensor out, bit for bit."""

import io
import json

import numpy as np
import pytest

import efm3
from efm3.conformance import sample as s
from efm3.conformance.examples import EXAMPLES, example


def test_the_tensor_comes_out_bit_for_bit(cli, vector, tmp_path):
    out = tmp_path / "x.npy"
    assert cli("extract", vector, "stem.conv.w", "-o", out).exit_code == 0
    want = efm3.load(vector).tensors["stem.conv.w"]
    got = np.load(out, allow_pickle=False)
    assert got.dtype == np.float32 and got.shape == want.shape
    assert got.tobytes() == want.tobytes()


def test_standard_streams(cli):
    result = cli("extract", "-", "stem.bn.w", "-o", "-", input=s.base())
    assert np.load(io.BytesIO(result.stdout_bytes)).shape == (8,)


def test_nan_is_no_obstacle(cli, tmp_path):
    data = s.weights("stem.bn.w", float("nan"))(s.base())
    out = tmp_path / "x.npy"
    assert cli("extract", "-", "stem.bn.w", "-o", out, input=data).exit_code == 0
    assert np.isnan(np.load(out)[0])


def test_json_says_what_was_written(cli, tmp_path):
    done = cli("extract", "-", "stem.conv.w", "-o", tmp_path / "x.npy", "--json", input=s.base())
    assert json.loads(done.stdout) == {
        "file": "-", "tensor": "stem.conv.w", "output": str(tmp_path / "x.npy"),
        "dtype": "float32", "shape": [8, 3, 3, 3]}
    assert cli("extract", "-", "stem.conv.w", "-o", "-", "--json", input=s.base()).exit_code == 2


def test_an_unknown_tensor_names_its_neighbours(cli, tmp_path):
    result = cli("extract", "-", "stem.convw", "-o", tmp_path / "x.npy", input=s.base())
    assert result.exit_code == 2 and "stem.conv.w" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", list(EXAMPLES))
def test_any_bytes_end_in_an_answer(cli, tmp_path, code):
    result = cli("extract", "-", "stem.bn.w", "-o", tmp_path / "x.npy", input=example(code)[1])
    assert result.exit_code in (0, 1)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert (tmp_path / "x.npy").exists() == (result.exit_code == 0)
