"""Fixtures of the tests that need a browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser import shared
from tests.web.page_server import PageServer


@pytest.fixture
def browser() -> Browser:
    """The browser that tests in a row share; `tests/conftest.py` closes it behind them."""
    return shared.get()


@pytest.fixture(scope="module")
def server() -> Iterator[PageServer]:
    with PageServer() as server:
        yield server
