# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Sources that cannot be read, and writes that fail half way.

The fixture `windows` is a system with what Windows has: no folders to open, no modes, no owners.
"""

import errno
import io
import os
import socket
import stat
import struct
import sys

import pytest

import efm3
from efm3 import source
from efm3.source import Unreadable, apart, open_regular, opened, read, read_at, write_atomic
from tests.systems import posix


@pytest.fixture
def target(tmp_path):
    path = tmp_path / "w.bin"
    path.write_bytes(b"old")
    return path


@pytest.mark.parametrize("make", [
    lambda p: p, lambda p: p.mkdir() or p, lambda p: os.mkfifo(p) or p, lambda p: f"{p}\0",
    lambda p: p.symlink_to(p) or p,
])
def test_unreadable_paths(tmp_path, make):
    path = make(tmp_path / "x")
    with pytest.raises(Unreadable):
        read(path)
    report = efm3.validate(path)
    assert report.unreadable and not report.ok
    with pytest.raises(efm3.Efm3Error) as e:
        efm3.load(path)
    assert e.value.code == "IO001"


@pytest.mark.skipif(sys.platform == "win32", reason="no device files")
def test_devices_are_refused():
    with pytest.raises(Unreadable, match="not a regular file"):
        read("/dev/zero")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_no_permission(target):
    target.chmod(0)
    with pytest.raises(Unreadable, match="ermission denied"):
        read(target)


def test_text_mode_is_refused():
    with pytest.raises(Unreadable, match="binary"):
        read(io.StringIO("EFM3"))


def test_names(target):
    assert source.name_of(target) == str(target)
    assert source.name_of(b"") == "<bytes>"
    assert source.name_of(io.BytesIO()) == "<stream>"
    with target.open("rb") as f:
        assert source.name_of(f) == str(target)
    with os.fdopen(os.open(target, os.O_RDONLY), "rb") as f:  # its name is a number
        assert source.name_of(f) == "<stream>"


@posix
def test_write_replaces_and_keeps_the_mode(target):
    target.chmod(0o640)
    write_atomic(target, [b"a", memoryview(b"bc")])
    assert target.read_bytes() == b"abc"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert os.listdir(target.parent) == [target.name]


@pytest.mark.parametrize("name", ["ß" * 127, "x" * 255, "顔" * 85, "\udcff" * 255, "😀" * 63])
def test_the_longest_names(tmp_path, name):
    """A name has at most 255 bytes; the temporary one's are counted in bytes as well."""
    for data in (b"new", b"newer"):
        write_atomic(tmp_path / name, [data])
    assert os.listdir(tmp_path) == [name] and (tmp_path / name).read_bytes() == b"newer"


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="no extended attributes on this system")
def test_attributes_are_kept_and_rights_to_run_are_not(target, monkeypatch):
    try:
        os.setxattr(target, "user.efm3", b"mine")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    target.chmod(0o440)
    names = [*os.listxattr(target), "security.capability"]
    monkeypatch.setattr(os, "listxattr", lambda path: names)
    asked = []
    real = os.getxattr
    monkeypatch.setattr(os, "getxattr", lambda p, name: asked.append(name) or real(p, name))
    write_atomic(target, [b"new"])
    assert asked == names[:-1] and real(target, "user.efm3") == b"mine"
    assert stat.S_IMODE(target.stat().st_mode) == 0o440


def acl(*entries):
    """system.posix_acl_access: version 2, then tag, rights and id of each entry."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in entries)


@posix
def test_a_system_without_attributes_keeps_the_mode(target, monkeypatch):
    target.chmod(0o604)
    monkeypatch.delattr(os, "listxattr", raising=False)
    write_atomic(target, [b"new"])
    assert stat.S_IMODE(target.stat().st_mode) == 0o604 and target.read_bytes() == b"new"


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="no extended attributes on this system")
def test_an_acl_is_kept(target):
    anyone = 0xffffffff
    rights = acl((1, 6, anyone), (2, 4, 12345), (4, 0, anyone), (16, 4, anyone), (32, 0, anyone))
    try:
        os.setxattr(target, "system.posix_acl_access", rights)
    except OSError:
        pytest.skip("this file system has no ACLs")
    mode = target.stat().st_mode
    write_atomic(target, [b"new"])
    assert os.getxattr(target, "system.posix_acl_access") == rights
    assert target.stat().st_mode == mode and target.read_bytes() == b"new"


@pytest.mark.parametrize("mine,kept", [
    ((True, True), 0o6755), ((False, True), 0o755), ((False, False), 0o755)])
def test_setuid_and_setgid_do_not_survive_a_change_of_owner(target, monkeypatch, mine, kept):
    """As root the owner is kept; who may not give the file away loses both bits."""
    target.chmod(0o6755)
    status = target.stat()
    other = os.stat_result((*status[:4], status.st_uid + (not mine[0]),
                            status.st_gid + (not mine[1]), *status[6:]))
    real, calls = os.stat, []
    monkeypatch.setattr(os, "stat", lambda p, **k: other if str(p) == str(target) else real(p, **k))

    def refused(fd, uid, gid):
        calls.append((uid, gid))
        raise PermissionError(errno.EPERM, "not yours")
    monkeypatch.setattr(os, "fchown", refused)
    write_atomic(target, [b"new"])
    monkeypatch.undo()
    assert stat.S_IMODE(target.stat().st_mode) == kept and target.read_bytes() == b"new"
    wanted = (other.st_uid, other.st_gid)
    assert calls == ([] if all(mine) else [wanted, (-1, other.st_gid)])


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
def test_root_keeps_the_owner(target):
    os.chown(target, 12345, 54321)
    target.chmod(0o4750)
    write_atomic(target, [b"new"])
    now = target.stat()
    assert (now.st_uid, now.st_gid, stat.S_IMODE(now.st_mode)) == (12345, 54321, 0o4750)


def test_another_hard_link_keeps_the_old_bytes(target):
    other = target.parent / "other"
    os.link(target, other)
    write_atomic(target, [b"new"])
    assert other.read_bytes() == b"old" and target.read_bytes() == b"new"


def test_write_follows_a_link(target):
    link = target.parent / "link.bin"
    link.symlink_to(target)
    write_atomic(link, [b"new"])
    assert link.is_symlink() and target.read_bytes() == b"new"


def named_socket(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(path))


@pytest.mark.parametrize("make,number", [
    (lambda p: p.mkdir(), errno.EISDIR), (lambda p: os.mkfifo(p), errno.EINVAL),
    (named_socket, errno.EINVAL)])
def test_what_is_no_file_is_not_replaced(tmp_path, make, number):
    path = tmp_path / "x"
    make(path)  # never a true device: a writer without the check would replace it
    before = path.stat().st_mode
    with pytest.raises(OSError) as e:
        write_atomic(path, [b"new"])
    assert (e.value.errno, path.stat().st_mode) == (number, before)
    assert e.value.filename == os.path.realpath(path) and os.listdir(tmp_path) == ["x"]


def test_new_file_takes_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        write_atomic(tmp_path / "n", [b"x"])
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "n").stat().st_mode) == 0o640


@pytest.mark.parametrize("call", ["write", "fsync", "replace", "open", "fchmod"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_failing_call_leaves_the_old_file_and_nothing_else(target, monkeypatch, call, number):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))
    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError):
        write_atomic(target, [b"new"])
    monkeypatch.undo()
    assert target.read_bytes() == b"old"
    assert os.listdir(target.parent) == [target.name]


def test_short_writes_are_continued(target, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, b: real(fd, b[:3]))
    write_atomic(target, [b"0123456789", b"", b"ab"])
    assert target.read_bytes() == b"0123456789ab"


def test_a_source_of_parts_that_raises_leaves_nothing(target):
    def parts():
        yield b"new"
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        write_atomic(target, parts())
    assert target.read_bytes() == b"old"
    assert os.listdir(target.parent) == [target.name]


def test_a_check_that_raises_leaves_the_old_file(target):
    seen = []

    def check(path):
        with open(path, "rb") as f:
            seen.append(f.read())
        raise ValueError("not good")
    with pytest.raises(ValueError, match="not good"):
        write_atomic(target, [b"n", b"ew"], check)
    assert seen == [b"new"] and target.read_bytes() == b"old"
    assert os.listdir(target.parent) == [target.name]


def test_the_temporary_name_is_never_an_existing_file(target, monkeypatch):
    monkeypatch.setattr("os.urandom", bytes)
    squat = target.parent / f".{target.name}.{'0' * 16}.tmp"
    victim = target.parent / "victim"
    victim.write_bytes(b"mine")
    squat.symlink_to(victim)
    with pytest.raises(FileExistsError):
        write_atomic(target, [b"new"])
    assert victim.read_bytes() == b"mine" and target.read_bytes() == b"old"
    assert squat.is_symlink()


def test_what_is_read_is_not_written(target):
    (link := target.parent / "link").symlink_to(target)
    for read_, written in (([target], [target]), ([str(link)], [target]), ([b"x", target], [link]),
                           ([None, target], [None, target.parent / "." / target.name])):
        with pytest.raises(efm3.Efm3Error, match="X019"):
            apart(read_, written)
    apart([target, b"x", io.BytesIO(), None], [target.parent / "other", None, ""])


def test_of_a_file_with_two_names_the_other_one_may_be_written(target):
    """A save breaks the link. Who has the file open says nothing of its name: both are refused."""
    os.link(target, other := target.parent / "other")
    apart([target, os.devnull], [other, os.devnull + "x"])
    with open(target, "rb") as f:
        for name in (target, other):
            with pytest.raises(efm3.Efm3Error, match="X019"):
                apart([f], [name])
    with open(os.devnull, "rb") as f:
        apart([f], [os.devnull])


def test_a_file_with_two_names_is_not_written_by_the_one_that_was_read(target):
    os.link(target, target.parent / "other")
    with pytest.raises(efm3.Efm3Error, match="X019"):
        apart([str(target)], [target])


def test_of_two_spellings_the_file_behind_them_decides(target, monkeypatch):
    (link := target.parent / "link").symlink_to(target)
    # As where letters of both cases are one: there is no path that all spellings lead to.
    monkeypatch.setattr(os.path, "realpath", os.path.abspath)
    with pytest.raises(efm3.Efm3Error, match="X019"):
        apart([str(target)], [link])


@posix
def test_order_of_syncs(target, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, n=name, r=real: (calls.append(n), r(*a))[1])
    write_atomic(target, [b"new"])
    assert calls == ["fsync", "replace", "fsync"]


def test_why_a_path_cannot_be_read(target, monkeypatch):
    with pytest.raises(Unreadable, match="is a directory"):
        read(target.parent)
    monkeypatch.setattr("efm3.source._memory", lambda: 2)
    with pytest.raises(Unreadable, match=r"larger than memory \(3 bytes\)"):
        read(target)
    monkeypatch.undo()

    def no_memory(*_, **__):
        raise MemoryError
    monkeypatch.setattr("builtins.open", no_memory)
    with pytest.raises(Unreadable, match=r"larger than memory$"):
        read(target)


def test_the_start_and_the_end_of_a_file(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"0123456789")
    with opened(str(path)) as file:
        assert [file.end(3), file.start(2), file.end(99), file.end(0)] == [
            b"789", b"01", b"0123456789", b""]


def test_bytes_are_their_own_source():
    for data in (b"EFM3", bytearray(b"EFM3"), memoryview(b"EFM3")):
        assert read(data) is data


def test_a_failing_read_says_what_the_system_said(target, monkeypatch):
    def fail(*_, **__):
        raise OSError(errno.EIO, "broken disk")
    monkeypatch.setattr("builtins.open", fail)
    with pytest.raises(Unreadable, match="broken disk"):
        read(target)


def test_a_system_that_does_not_tell_its_memory_sets_no_limit(target, monkeypatch):
    def unknown(name):
        raise ValueError(name)
    monkeypatch.setattr(os, "sysconf", unknown)
    assert read(target) == b"old"


def test_a_stream_and_a_file_that_ends_before_its_size(target, monkeypatch):
    assert read(io.BytesIO(b"EFM3")) == b"EFM3"

    def short(path, size):
        """What `read` says of a file of 3 bytes that the system gives as one of `size`."""
        with opened(path) as file:
            file.size = size
            return file.start(size)

    assert short(target, 3) == b"old"
    for size in (2, 4):
        with pytest.raises(Unreadable, match="changed while it was read"):
            short(target, size)


class Stream(io.RawIOBase):
    """Bytes without end, given `step` at once; counts what was asked for and what was given."""

    def __init__(self, start=b"", step=1000):
        self.rest, self.step, self.given, self.most = start, step, 0, 0

    def read(self, count=-1):
        self.most = max(self.most, count)
        step = min(count, self.step)
        piece = self.rest[:step] or bytes(step)
        self.rest = self.rest[step:]
        self.given += len(piece)
        return piece


def test_a_stream_is_read_piece_by_piece_up_to_the_count():
    stream = Stream(b"EFM3" * 999)
    assert source.start_of(stream, 5000, b"mine") == (b"mine" + b"EFM3" * 999 + bytes(1004))[:5000]
    assert source.start_of(io.BytesIO(b"ab"), 9) == b"ab"
    stream = Stream(step=1 << 30)
    assert len(source.start_of(stream, 1 << 18)) == 1 << 18 and stream.most <= 1 << 17


def test_a_stream_without_end_is_refused(monkeypatch):
    monkeypatch.setattr("efm3.source.STREAM", 4096)
    assert len(read(io.BytesIO(bytes(4096)))) == 4096
    stream = Stream()
    with pytest.raises(Unreadable, match="longer than 4096 bytes"):
        read(stream)
    assert stream.given <= 5000


def test_a_stream_that_fails_or_has_nothing_yet():
    with pytest.raises(Unreadable, match="broken pipe of a disk"):
        read(Failing())
    here, there = os.pipe()
    os.set_blocking(here, False)
    with open(here, "rb", buffering=0) as stream, pytest.raises(Unreadable, match="nothing to"):
        read(stream)
    os.close(there)


class Failing(io.RawIOBase):
    def read(self, count=-1):
        raise OSError(errno.EIO, "broken pipe of a disk")


@pytest.fixture
def windows(monkeypatch):
    monkeypatch.setattr(source, "POSIX", False)
    for name in ("fchmod", "fchown", "listxattr", "pread", "O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC"):
        monkeypatch.delattr(os, name, raising=False)
    opened = os.open

    def no_folders(path, *words, **more):
        if os.path.isdir(path):
            raise PermissionError(13, "Permission denied", path)
        return opened(path, *words, **more)
    monkeypatch.setattr(os, "open", no_folders)


def busy(monkeypatch, times):
    """os.replace is refused so many times; returns the list of tries."""
    real, tries = os.replace, []

    def replaced(old, new):
        tries.append(new)
        if len(tries) <= times:
            raise PermissionError(13, "Permission denied", str(new))
        real(old, new)
    monkeypatch.setattr(os, "replace", replaced)
    return tries


def test_a_save_on_windows(windows, tmp_path):
    target = tmp_path / "wärme 人.bin"
    for data in (b"old", b"new\nbytes\n"):
        write_atomic(target, [data[:3], memoryview(data[3:])])
        assert target.read_bytes() == data
    assert os.listdir(tmp_path) == [target.name]


def test_a_reader_that_goes_is_waited_for(windows, target, monkeypatch):
    tries = busy(monkeypatch, 3)
    write_atomic(target, [b"new"])
    assert target.read_bytes() == b"new" and len(tries) == 4


def test_a_reader_that_stays_is_an_error(windows, target, monkeypatch):
    monkeypatch.setattr(source, "PATIENCE", 0.01)
    tries = busy(monkeypatch, 1 << 20)
    with pytest.raises(PermissionError):
        write_atomic(target, [b"new"])
    assert target.read_bytes() == b"old" and len(tries) > 1
    assert os.listdir(target.parent) == [target.name]


@posix
def test_elsewhere_permission_is_not_asked_for_again(target, monkeypatch):
    tries = busy(monkeypatch, 1)
    with pytest.raises(PermissionError):
        source.replace(target, target.with_name("b"))
    assert len(tries) == 1


def test_a_folder_that_windows_does_not_open_is_named(windows, tmp_path):
    with pytest.raises(Unreadable, match="is a directory"):
        open_regular(str(tmp_path))


@posix
def test_a_folder_that_cannot_be_opened_is_not_the_fault_of_being_one(tmp_path, monkeypatch):
    def none_left(*_):
        raise OSError(errno.EMFILE, "none is left")
    monkeypatch.setattr(os, "open", none_left)
    with pytest.raises(Unreadable, match="none is left"):
        open_regular(str(tmp_path))


def test_what_windows_does_not_open_and_is_no_folder_is_refused_with_its_words(windows, tmp_path):
    with pytest.raises(Unreadable, match="No such file or directory"):
        open_regular(str(tmp_path / "none"))


@pytest.mark.skipif(not hasattr(os, "pread"), reason="the system has no pread")
def test_reading_from_a_place_leaves_the_one_that_threads_share(target):
    with open_regular(str(target)) as f:
        f.seek(2)
        assert read_at(f, 0, 1) == b"o" and f.tell() == 2


def test_reading_from_a_place(target, monkeypatch):
    with open_regular(str(target)) as f:
        for _ in range(2):
            assert [read_at(f, 1, 1), read_at(f, 0, 9), read_at(f, 5, 1)] == [b"l", b"old", b""]
            monkeypatch.delattr(os, "pread", raising=False)
