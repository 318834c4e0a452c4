# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What is released and what must hold before: `python -m tools.release`. See docs/releasing.md."""


class BuildFailed(RuntimeError):
    """A program that builds ended with an error; its words are the message."""
