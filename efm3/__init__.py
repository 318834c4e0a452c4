# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""EFM3: read, write, check and show FaceX weight files."""

__version__ = "0.1.0"
