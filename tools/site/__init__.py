# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The documentation as a site: `make docs` writes its pages, builds them and checks the result."""
