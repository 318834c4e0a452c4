# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Wheels for other systems, compiled here by one compiler: `python -m tools.wheels`.

See docs/wheels.md. `targets` says for which systems, `compiled` makes the extension of each,
`assembled` puts it into the wheel, `audit` reads what was made, `tried` installs and runs it.
"""
