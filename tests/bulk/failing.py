# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Workers of Daft that some pictures end, as a fault in a decoder does, or that cannot start."""

from __future__ import annotations

import os
from typing import Any

from efm3.bulk._actor import Actor


class Dying(Actor):
    """Ends its process on `kill` in a name, and gives no answer on `silent`."""

    def _answer(self, names: Any, paths: Any, data: Any) -> bytes:
        if any("kill" in name for name in names):
            os._exit(9)
        if any("silent" in name for name in names):
            return b""
        return super()._answer(names, paths, data)


class Stillborn(Actor):
    """Ends its process before it is ready."""

    def opened(self) -> Any:
        """See Actor."""
        os._exit(3)


class Faulty(Actor):
    """Has a fault of ours."""

    def opened(self) -> Any:
        """See Actor."""
        raise RuntimeError("a fault of ours")


class Known(Actor):
    """Leaves a file named by its process where the tests look for it."""

    def opened(self) -> Any:
        """See Actor."""
        with open(os.path.join(os.environ["EFM3_PIDS"], str(os.getpid())), "wb"):
            return super().opened()
