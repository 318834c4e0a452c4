# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""One thread for each test: its pictures are few, and other tests run beside it."""

import pytest


@pytest.fixture(autouse=True)
def threads():
    """torch.set_num_threads, for a test that wants more; put back afterwards."""
    try:
        import torch
    except ImportError:
        yield None
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield torch.set_num_threads
    torch.set_num_threads(before)
