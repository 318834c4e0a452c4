# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A worker that some pictures kill, as a fault in a decoder does: by their names."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

from efm3.bulk import _child
from efm3.bulk.rows import Made, Maker


class Dying(Maker):
    """Kills its process on `kill`, raises on `raise`, and says what is no answer on `garble`."""

    def made(self, pictures: Sequence[tuple[str, object]]) -> list[Made]:
        """See Maker."""
        for name, _ in pictures:
            if "kill" in name:
                os.kill(os.getpid(), signal.SIGKILL)
            if "raise" in name:
                raise RuntimeError("a fault of ours")
        made = super().made(pictures)  # type: ignore[arg-type]
        return made[:-1] if any("garble" in name for name, _ in pictures) else made


def main() -> None:
    """What a worker runs."""
    _child.main(Dying)
