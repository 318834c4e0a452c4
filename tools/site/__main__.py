# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`write FOLDER`: the site's pages and its settings. `check FOLDER`: what is wrong with a built
one, exit code 1 where something is."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from tools import ROOT
from tools.site import api, check, codes, links, plan, verbs

OWN = Path(__file__).parent


def pages() -> tuple[dict[str, str], set[str]]:
    """Every page by its path in the site, and the files of the project that pages name. Raises
    ValueError, FileNotFoundError for a page that has no place, or a link that leads nowhere."""
    made, files = codes.pages() | verbs.pages() | api.pages(), set[str]()
    for source in plan.sources():
        text, named = links.page(ROOT, source)
        made[links.place(source)] = text
        files |= named
    plan.all_of(made)
    return made, files


def write(folder: Path) -> None:
    """Everything that the builder reads, in a folder that is emptied before. Raises what `pages`
    raises."""
    made, files = pages()
    shutil.rmtree(folder, ignore_errors=True)
    for name, text in made.items():
        path = folder / "docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for name in files:
        path = folder / "docs" / links.FILES / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, path)
    shutil.copytree(OWN / "theme", folder / "theme")
    settings = (OWN / "zensical.toml").read_text(encoding="utf-8")
    (folder / "zensical.toml").write_text(
        settings.replace("# NAV\n", f"nav = {plan.toml(plan.navigation())}\n\n"), encoding="utf-8")
    print(f"{len(made)} pages, {len(files)} files: {folder}")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tools.site", description=__doc__)
    parser.add_argument("what", choices=("write", "check"))
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    if given.what == "write":
        write(given.folder)
        return 0
    found = list(check.problems(given.folder))
    print("\n".join(found) if found else f"{given.folder}: every link leads somewhere, nothing is "
          "fetched from elsewhere")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
