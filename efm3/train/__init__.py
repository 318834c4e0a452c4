# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Training: from images with identities to a verified EFM3 file. `efm3 train --help`."""
