# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""README.md as an index shows it: away from the files that its links and pictures name."""

from __future__ import annotations

import re

_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#|mailto:)([^)\s]+)\)")


def absolute(text: str, source: str, version: str) -> str:
    """The text with each link to a file of the project made one to that file of the version's tag
    below `source`, the repository's https address; a picture to its bytes.

    The paths are those of GitHub, to which GitLab redirects too.
    """
    def link(found: re.Match[str]) -> str:
        kind = "raw" if found[1] else "blob"
        return f"{found[1]}[{found[2]}]({source.rstrip('/')}/{kind}/v{version}/{found[3]})"

    return _LINK.sub(link, text)


def relative(text: str) -> list[str]:
    """What links and pictures name that is not absolute, in order."""
    return [found[3] for found in _LINK.finditer(text)]
