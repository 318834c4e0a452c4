# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A run on a Ray cluster of two nodes, each a set of processes of its own on this machine."""

import hashlib
import json
import os
import subprocess
import sys

import numpy as np

from efm3 import untrained
from efm3.bulk.inputs import Inputs
from efm3.bulk.rows import Maker, Plan
from efm3.conformance import sample
from tools import ROOT

NEEDS = ("daft", "ray", "pyarrow")

HANGS = 900
"""Seconds; it takes three minutes beside other loads."""

PROGRAM = """
import hashlib, json, os, signal, sys
import ray
from ray.cluster_utils import Cluster
from efm3.bulk.daft import DaftRun, Places, Plan
from tests.bulk.failing import Known

if __name__ == "__main__":
    node = {"num_cpus": 1, "object_store_memory": 100 << 20}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    cluster.add_node(**node)
    found = []
    with DaftRun(sys.argv[1], Plan(), None, cluster.address, Known) as run:
        for made in run.rows(Places((), sys.argv[2]).pictures()):
            if not found:  # a worker dies, when both are at work
                pids = os.listdir(os.environ["EFM3_PIDS"])
                os.kill(int(pids[0]), signal.SIGKILL)
            row = made.rows[0]
            found.append([made.name, row.error, row.error is None and
                          hashlib.sha256(row.embedding.tobytes()).hexdigest()])
    with open(sys.argv[3], "w") as f:
        json.dump([run.cluster, run._workers, len(pids), found], f)
    ray.shutdown()
    cluster.shutdown()
"""


def test_two_nodes_and_a_worker_that_is_killed(tmp_path):
    """Every picture once, in order, with the embedding that it has without a cluster."""
    model = untrained.dumps(sample.ARCH, 1)
    (tmp_path / "model.bin").write_bytes(model)
    (tmp_path / "pids").mkdir()
    names = [str(tmp_path / f"{i}.npy") for i in range(4)]
    for name, pixels in zip(names, untrained.images(3, 4), strict=True):
        np.save(name, pixels)
    names[3] = str(tmp_path / "no such.npy")
    (tmp_path / "list").write_text("".join(n + "\n" for n in names * 1500))
    subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path / "model.bin", tmp_path / "list",
         tmp_path / "found"], cwd=ROOT, check=True, timeout=HANGS,
        env={**os.environ, "EFM3_PIDS": str(tmp_path / "pids"), "PYTHONPATH": str(ROOT)})
    cluster, workers, pids, found = json.loads((tmp_path / "found").read_text())
    assert (cluster, workers) == (True, 2) and pids >= 1
    want = Maker(model, Plan()).made([(i.name, i.source) for i in Inputs(names).pictures()])
    assert found == [
        [m.name, m.rows[0].error, m.rows[0].error is None and
         hashlib.sha256(m.rows[0].embedding.tobytes()).hexdigest()] for m in want] * 1500
