#!/bin/sh
# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
# mandoc, which checks the manual pages of docs/man, and man, which shows them as people see them.
# Without them those tests are skipped.
set -eu
if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    echo "install_man: not a Debian root shell; tests of the manual pages will be skipped"
    exit 0
fi
for package in mandoc man-db; do
    apt-get install -y -qq --no-install-recommends "$package" >/dev/null ||
        echo "install_man: no $package; tests that want it will be skipped"
done
