# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 bench`: what it measures is whole; how fast is not tested."""

import json

from efm3.conformance import sample
from efm3.network import layers


def test_bench(cli, tmp_path):
    (tmp_path / "w.bin").write_bytes(sample.base())
    result = cli("bench", tmp_path / "w.bin", "--runs", 3, "--batch", 2, "--threads", 2, "--layers",
                 "--json")
    value = json.loads(result.stdout)
    assert value["batch"] == 2 and value["threads"] == 2
    assert 0 < value["min_ms"] <= value["median_ms"] <= value["p99_ms"]
    assert [r["layer"] for r in value["layers"]] == [x.name for x in layers(sample.ARCH)]
    assert cli("bench", tmp_path / "w.bin", "--runs", 2).exit_code == 0
    assert cli("bench", tmp_path / "w.bin", "--isa", "mmx").exit_code == 1
