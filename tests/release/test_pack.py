# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Archives packed anew: their bytes depend on content and one time, and their modes are plain."""

import base64
import csv
import hashlib
import io
import os
import tarfile
import zipfile

import pytest

from tests.release import small
from tools.release import pack


def test_a_wheel_is_the_same_from_any_order_time_and_mode(release):
    files = small.members(release)
    one = small.make_wheel(release, files).read_bytes()
    path = release.out / "efm3-1.2.3-cp310-abi3-linux_x86_64.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as z:
        for name in sorted(files, reverse=True):
            info = zipfile.ZipInfo(name, (1999, 1, 1, 1, 1, 1))
            info.external_attr = 0o100600 << 16
            z.writestr(info, files[name])
    pack.wheel(path, small.EPOCH, {"sboms/efm3.cdx.json": b""})
    assert path.read_bytes() == one
    pack.wheel(path, small.EPOCH + 86400, {})
    assert path.read_bytes() != one and pack.members(path) == pack.members(
        small.make_wheel(release, files))


def test_members_of_a_wheel_state_the_time_a_mode_and_their_digests(release):
    path = small.make_wheel(release, bom=b"{}")
    with zipfile.ZipFile(path) as z:
        infos, texts = z.infolist(), {i.filename: z.read(i) for i in z.infolist()}
    assert {i.date_time for i in infos} == {(2023, 11, 14, 22, 13, 20)}
    assert {i.filename: i.external_attr >> 16 for i in infos if i.external_attr >> 16
            != 0o100644} == {pack.stable("linux"): 0o100755}
    *rows, last = csv.reader(io.StringIO(texts[infos[-1].filename].decode()))
    assert infos[-1].filename == last[0] == "efm3-1.2.3.dist-info/RECORD" and last[1:] == ["", ""]
    assert texts["efm3-1.2.3.dist-info/sboms/efm3.cdx.json"] == b"{}"
    for name, digest, size in rows:
        known = base64.urlsafe_b64encode(hashlib.sha256(texts[name]).digest()).decode()
        assert digest == f"sha256={known.rstrip('=')}" and int(size) == len(texts[name])
    assert len(rows) == len(texts) - 1


def test_a_wheel_has_one_metadata_folder():
    with pytest.raises(ValueError, match="2 folders"):
        pack.metadata_folder({"a.dist-info/RECORD": b"", "b.dist-info/RECORD": b""})
    with pytest.raises(ValueError, match="0 folders"):
        pack.metadata_folder({"efm3/scan.py": b""})


def test_an_sdist_names_nobody_and_one_time(release):
    path = small.make_sdist(release)
    with tarfile.open(path) as tar:
        found = tar.getmembers()
    assert {(m.uid, m.gid, m.uname, m.gname, m.mtime, m.mode) for m in found} == {
        (0, 0, "", "", 315532800, 0o644)}
    assert [m.name for m in found] == sorted(m.name for m in found)
    # Bytes 4 to 7 of gzip's header are the time, byte 3 says that no name follows.
    assert path.read_bytes()[3:8] == b"\0" + (315532800).to_bytes(4, "little")


def test_a_program_in_an_sdist_stays_one(tmp_path):
    (tmp_path / "run.sh").write_text("")
    os.chmod(tmp_path / "run.sh", 0o700)
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "run.sh", "a/run.sh")
    pack.sdist(tmp_path / "a.tar.gz", 0)
    with tarfile.open(tmp_path / "a.tar.gz") as tar:
        assert tar.getmember("a/run.sh").mode == 0o755
