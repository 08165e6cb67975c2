"""Fixtures of the feeds' tests."""

from __future__ import annotations

import pathlib

import pytest

from tests.feeds.contract import Recording, found


@pytest.fixture(scope="session")
def everything(data_dir: pathlib.Path) -> list[Recording]:
    """All recordings of all exchanges."""
    return found(data_dir / "exchanges")
