# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A second, plain statement of what level `structure` accepts, which shares no code with efm3.

It reads the file from front to back as an engine would and says yes or no.
"""

import struct


def accepts(data: bytes) -> bool:
    """True where an engine may run the file."""
    if len(data) < 92:
        return False
    magic, version = struct.unpack_from("<4sI", data)
    hdr, n, kernel, stride, stem, block, final, dim, gdc, pad = struct.unpack_from(
        "<BBBBHHHHB3s", data, 8)
    if (magic, version, hdr, pad) != (b"EFM3", 3, 1, b"\0\0\0") or not 1 <= n <= 8:
        return False
    if kernel % 2 == 0 or kernel > 15 or not 1 <= stride <= 4 or 0 in (stem, block, final, dim):
        return False
    stages = [struct.unpack_from("<BBBBI", data, 24 + 8 * i) for i in range(8)]
    if any(any(s) for s in stages[n:]) or any(s[3] or s[4] for s in stages[:n]):
        return False
    if any(t == 0 or k == 0 or not 1 <= s <= 4 for t, k, s, _, _ in stages[:n]):
        return False
    if sum(s[1] for s in stages[:n]) > 256:
        return False
    counts, side, c = [], (112 + 2 * (kernel // 2) - kernel) // stride + 1, stem
    counts += [stem * 3 * kernel * kernel] + 5 * [stem]
    counts += [stem * 9] + 5 * [stem]
    for i, (t, k, s, _, _) in enumerate(stages[:n]):
        side = (side - 1) // s + 1
        out = stem if i == 0 else block
        for _ in range(k):
            wide = c * t
            if wide > 65535:
                return False
            counts += [wide * c] + 5 * [wide] + [wide * 9] + 5 * [wide]
            counts += [out * wide] + 4 * [out]
            c = out
    counts += [final * c] + 5 * [final] + [final * gdc * gdc] + 4 * [final] + [dim * final]
    counts += 4 * [dim]
    if side != gdc:
        return False
    json_len = int.from_bytes(data[88:92], "little")
    at = 92 + json_len
    if json_len > 1 << 20 or at + 4 > len(data):
        return False
    if int.from_bytes(data[at:at + 4], "little") != len(counts):
        return False
    at += 4
    for count in counts:
        if at + 4 + 4 * count > len(data):
            return False
        if int.from_bytes(data[at:at + 4], "little") != 4 * count:
            return False
        at += 4 + 4 * count
    return at == len(data)
