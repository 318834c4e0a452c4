# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The suite's version, which is the engine's (MFN_VERSION_STRING) too."""

__version__ = "0.1.0"
