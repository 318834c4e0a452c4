# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Files as one page of HTML that loads nothing and runs no script.

`facts` is what a file's section shows, `page` the whole; `topology` draws a network. `card` words
an Inspection for whatever shows it.
"""
