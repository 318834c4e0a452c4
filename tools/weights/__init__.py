# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The training of the files in weights/, as a chain of short runs. `python -m tools.weights -h`."""
