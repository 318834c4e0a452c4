# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The page for a browser, put together from its sources: `python -m tools.page` (docs/page.md).

`declared` is what it takes from the suite's own declarations, `packed` the Python that runs in it,
`build` the folder that a server serves.
"""
