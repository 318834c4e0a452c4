# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The systems that get a wheel with the engine."""

from __future__ import annotations

from typing import NamedTuple

from tools.release import pack


class Target(NamedTuple):
    """What pip calls a system, and what the compiler calls it."""

    platform: str
    """The platform tag of the wheel, several joined by dots where one is an older name."""
    triple: str
    """zig's target, with the oldest version of the system that the wheel's name promises."""

    @property
    def windows(self) -> bool:
        """Whether the extension is a DLL."""
        return "windows" in self.triple

    @property
    def macos(self) -> bool:
        """Whether the extension is a Mach-O bundle."""
        return "macos" in self.triple

    @property
    def member(self) -> str:
        """The extension's name in the wheel."""
        return pack.stable(self.platform)

    @property
    def tag(self) -> str:
        """The wheel's whole tag."""
        return f"cp310-abi3-{self.platform}"


TARGETS = (
    Target("manylinux2014_x86_64.manylinux_2_17_x86_64", "x86_64-linux-gnu.2.17"),
    Target("manylinux2014_aarch64.manylinux_2_17_aarch64", "aarch64-linux-gnu.2.17"),
    Target("musllinux_1_2_x86_64", "x86_64-linux-musl"),
    Target("musllinux_1_2_aarch64", "aarch64-linux-musl"),
    Target("win_amd64", "x86_64-windows-gnu"),
    Target("win_arm64", "aarch64-windows-gnu"),
    Target("macosx_11_0_x86_64", "x86_64-macos.11.0"),
    Target("macosx_11_0_arm64", "aarch64-macos.11.0"),
)
"""In the order in which they are built."""
