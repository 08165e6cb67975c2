"""Fixtures of the tests that need a browser: one for each module, for its driver must not outlive it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser import launched
from tests.web.page_server import PageServer


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def server() -> Iterator[PageServer]:
    with PageServer() as server:
        yield server
