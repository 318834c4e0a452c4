# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The JSON Schema of an inspection."""

from __future__ import annotations

import json

from efm3.inspection import schema


def text() -> str:
    """The schema as JSON text."""
    return json.dumps(schema(), indent=2) + "\n"
