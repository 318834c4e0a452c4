# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the project is built and measured with, started as `python -m tools.X` from its root."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The project's root: the folder that holds tools/."""
