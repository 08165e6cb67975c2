"""Third-party files: the right bytes under a versioned name, and a clean 404 if they are missing."""

from __future__ import annotations

import gzip
import hashlib

from tests.web.server import Live, serving
from web.page import FOR_EVER
from web.vendor import FILES, Vendored

CHART = "lightweight-charts-5.1.0.js"
CHART_SHA256 = "756b0ba9f58930226d6b8b9d47ad310448ab85d799ea1f7c2c02304777c10b52"


@serving()
async def test_the_chart_library_is_the_one_that_was_reviewed(live: Live) -> None:
    """Served as a script, byte for byte as reviewed, of the version in its URL, and so kept for a year."""
    answer = await live.get(f"/vendor/{CHART}")
    assert answer.headers["content-type"].startswith(("text/javascript", "application/javascript"))
    assert hashlib.sha256(answer.body).hexdigest() == CHART_SHA256
    assert b'version:function(){return"5.1.0"}' in answer.body
    assert [name for name, file in FILES.items() if file.cache == FOR_EVER] == [CHART]
    packed = await live.get(f"/vendor/{CHART}", "Accept-Encoding: gzip")
    assert len(packed.body) < len(answer.body) / 2
    assert gzip.decompress(packed.body) == answer.body


@serving()
async def test_a_range_request_gets_the_whole_file(live: Live) -> None:
    """Files are short: a request for a range gets the whole, as RFC 9110 allows, also if the range is malformed.

    Seen: a malformed one gave 400 as plain text.
    """
    for path in (f"/vendor/{CHART}", "/js/main.js"):
        whole = await live.get(path)
        for wanted in ("bytes=0-9", "bytes=9-0", "x"):
            answer = await live.get(path, f"Range: {wanted}")
            assert (answer.status, answer.body) == (200, whole.body)


def test_a_missing_package_or_file_is_404() -> None:
    """Neither a missing package nor a missing file is an error: both are simply not there."""
    assert Vendored("no_such_package", "x.js", FOR_EVER).find() is None
    assert Vendored("litecharts", "js/no-such-file.js", FOR_EVER).find() is None
