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


@pytest.fixture(scope="session")
def page_server() -> Iterator[PageServer]:
    with PageServer() as server:
        yield server


@pytest.fixture
def server(page_server: PageServer) -> PageServer:
    """One for all tests, whose files the browser has from the first of them on, as it was in the beginning."""
    page_server.forget()
    return page_server
