"""What only the upstream of a gateway knows: asked there over HTTP for each request, and passed on as it is.

As the last dependency of a router, `Forward` answers in place of its endpoints, which are never run: their paths and
their descriptions stay. It keeps no answers. What the upstream cannot answer is a problem of status 503 that says why
and names it, never its password or token.
"""

# No annotations from __future__: FastAPI 0.118 does not resolve those of a callable object.

import asyncio
import contextlib
import random
import ssl
import weakref
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import NamedTuple, cast
from urllib.parse import quote, unquote_plus

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ticker import __version__
from ticker.errors import ConfigError
from ticker.messages import TOKEN
from web.addresses import Addresses
from web.problem import Problem

MAX_BODY_BYTES = 64 << 20
"""About ten times the size of a list of 50,000 symbols."""
PASSED_ON = ("content-type", "cache-control", "etag", "retry-after")
"""What a service says of its answers in headers; all others are the affair of its server, or of a proxy."""
IN_HAND_BYTES = 128 << 20
"""How much may wait to be taken by the clients of one address, unless it is a single answer."""
_STOPPING = "the service is stopping"


class Elsewhere(Exception):  # noqa: N818 - not an error: it keeps an endpoint from being run
    """A request that has been answered elsewhere."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


async def answer_elsewhere(_: Request, error: Exception) -> Response:
    """Exception handler of `Elsewhere`."""
    assert isinstance(error, Elsewhere)
    return error.response


class _Question(NamedTuple):
    """What is asked; equal ones at the same time are asked once.

    Attributes:
        target: path and query, below the upstream's base path.
        headers: those of the request that are passed on.
        alone: the address that this is asked for, if it waits for its share: nobody else shall wait with it.
    """

    target: str
    headers: tuple[tuple[str, str], ...]
    alone: str = ""


class _Answer(NamedTuple):
    """What the upstream has answered."""

    status: int
    headers: dict[str, str]
    body: bytes


class _Passed(Response):
    """An answer on its way to its reader, during which its size is counted for the reader's address."""

    def __init__(self, answer: _Answer, address: str, in_hand: Counter[str]) -> None:
        super().__init__(answer.body, answer.status, answer.headers)
        self._address = address
        self._in_hand = in_hand

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, as fast as it is taken."""
        self._in_hand[self._address] += len(self.body)
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._in_hand[self._address] -= len(self.body)
            if not self._in_hand[self._address]:
                del self._in_hand[self._address]


class _UpstreamError(Exception):
    """There is no answer to pass on; the text says why."""


class _Flight(NamedTuple):
    """A question that is being asked, for all who wait for its answer.

    Attributes:
        address: for whom it is asked: that one is charged.
        task: returns the answer, or why there is none.
    """

    address: str
    task: asyncio.Task[_Answer | str]


class Forward:
    """Asks the upstream what only it knows; a dependency, which answers GET requests by raising `Elsewhere`.

    The upstream gets path and query as they were, except for a token, which is the gateway's own affair; the headers
    Accept and If-None-Match; and the client's address in X-Forwarded-For, to charge it if it trusts this proxy.

    Requests for the same while it is being asked share the answer, except for a refusal (503) of another address: it
    may be due to what that one has asked for before. At most half of the requests that the upstream gets at the same
    time are for one address.

    Args:
        base: the upstream's URL, without a slash at the end.
        headers: gives those to send with a request; ConfigError: there is no token at the moment.
        addresses: tells the addresses of clients.
        timeout_s: from the request, which may have to wait for its turn, to the last byte of the answer.
        connect_s: for connecting, with TLS.
        at_once: most requests that the upstream gets at the same time; others wait for their turn.
        body_bytes: longest body of an answer.
        in_hand_bytes: how much may wait to be taken by the clients of one address, unless it is a single answer.
    """

    def __init__(
        self,
        base: str,
        headers: Callable[[], Mapping[str, str]],
        addresses: Addresses,
        *,
        timeout_s: float = 10.0,
        connect_s: float = 5.0,
        at_once: int = 100,
        body_bytes: int = MAX_BODY_BYTES,
        in_hand_bytes: int = IN_HAND_BYTES,
    ) -> None:
        given = httpx.URL(base)
        self._base = given.copy_with(userinfo=b"")
        self._name = f"the upstream {self._base}".rstrip("/")
        self._addresses = addresses
        self._timeout_s = timeout_s
        self._body_bytes = body_bytes
        self._in_hand_bytes = in_hand_bytes
        self._in_hand: Counter[str] = Counter()
        self._headers = headers
        self._login = (given.username, given.password) if given.userinfo else None
        secure = given.scheme == "https"  # loading the certificates takes 20 ms
        self._client = httpx.AsyncClient(
            headers={"accept-encoding": "identity", "user-agent": f"ticker/{__version__}"},
            limits=httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once),
            timeout=httpx.Timeout(timeout_s, connect=connect_s),
            trust_env=False,
            verify=ssl.create_default_context() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        )
        self._client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=()))  # they would be everybody's
        self._turns = asyncio.Semaphore(at_once)
        self._share = max(1, at_once // 2)
        self._shares: weakref.WeakValueDictionary[str, asyncio.Semaphore] = weakref.WeakValueDictionary()
        self._flights: dict[_Question, _Flight] = {}
        self._closed = False

    async def __call__(self, request: Request) -> None:
        """Answer a request.

        Raises:
            Elsewhere: always, with the upstream's answer, unless there is none.
            Problem: 503, there is none, or the address does not take what it has asked for before.
        """
        address, question = self._addresses.of(request), _question(request)
        while True:
            asker, answer = await self._fly(question, address)
            if isinstance(answer, str):
                raise _unanswered(answer)
            if answer.status != 503 or asker == address:
                break
        before = self._in_hand[address]
        if before and before + len(answer.body) > self._in_hand_bytes:
            raise _unanswered("large answers for this address are still on their way; wait")
        raise Elsewhere(_Passed(answer, address, self._in_hand))

    async def aclose(self) -> None:
        """Close all connections; whoever still waits for an answer, or asks from now on, gets a problem."""
        self._closed = True
        if tasks := [flight.task for flight in self._flights.values()]:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        await self._client.aclose()

    async def _fly(self, question: _Question, address: str) -> tuple[str, _Answer | str]:
        """Ask, or wait with those who do; returns for whom it is asked, and the answer, or why there is none."""
        if self._closed:
            return address, _STOPPING
        share = self._shares.setdefault(address, asyncio.Semaphore(self._share))
        if question not in self._flights and share.locked():
            question = question._replace(alone=address)
        flight = self._flights.get(question)
        if flight is None:
            task = asyncio.create_task(self._answer(question, address, share), name="forward")
            flight = self._flights[question] = _Flight(address, task)
        await asyncio.wait({flight.task})  # a task of its own: whoever began it may be cancelled
        return flight.address, _STOPPING if flight.task.cancelled() else flight.task.result()

    async def _answer(self, question: _Question, address: str, share: asyncio.Semaphore) -> _Answer | str:
        """The answer, or why there is none; nobody joins once it is known."""
        has_turn = False
        try:
            async with asyncio.timeout(self._timeout_s), share, self._turns:
                has_turn = True
                return await self._ask(question, address)
        except (TimeoutError, httpx.ReadTimeout, httpx.WriteTimeout):
            if has_turn:
                return f"{self._name} sent no complete answer within {self._timeout_s:g} s"
            return f"too many requests wait for {self._name}; try again later"
        except (httpx.ConnectError, httpx.ConnectTimeout):  # why, the stream finds out, too; see `/readyz`
            return f"cannot connect to {self._name}; is it running?"
        except httpx.HTTPError:  # its text may quote a header
            return f"{self._name} broke off its answer, or does not speak HTTP"
        except _UpstreamError as error:
            return str(error)
        finally:
            del self._flights[question]

    async def _ask(self, question: _Question, address: str) -> _Answer:
        try:
            own = {name.lower(): value for name, value in self._headers().items()}
        except ConfigError as error:
            raise _UpstreamError(f"{self._name} is not asked: {error}") from error
        headers = [*own.items(), *question.headers, *([("x-forwarded-for", address)] if address else [])]
        target = self._base.raw_path.rstrip(b"/") + question.target.encode("latin-1")
        async with self._client.stream(
            "GET",
            self._base,
            headers=[(name.encode(), value.encode("latin-1")) for name, value in headers],
            auth=None if "authorization" in own else self._login,
            extensions={"target": target},  # as it is: httpx would encode some characters of a URL
        ) as response:
            self._check(response)
            found = {name.lower().decode("latin-1"): value.decode("latin-1") for name, value in response.headers.raw}
            passed = {name: found[name] for name in PASSED_ON if name in found}
            return _Answer(response.status_code, passed, await self._body(response))

    def _check(self, response: httpx.Response) -> None:
        """Refuse what a service would not answer to its reader, or not in this form.

        Raises:
            _UpstreamError: it is such an answer.
        """
        status = response.status_code
        if status in {401, 403}:  # not its reader, who would take it for that
            check = "check upstream.token_file here, and server.hosts there"
            raise _UpstreamError(f"{self._name} refuses this gateway (HTTP status {status}); {check}")
        if status == 304 and "if-none-match" in response.request.headers:
            return
        if response.has_redirect_location:
            raise _UpstreamError(
                f"{self._name} redirects (HTTP status {status}); the gateway needs the address to which it does"
            )
        media = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media not in ({"application/json", "text/csv"} if status == 200 else {"application/problem+json"}):
            what = f"HTTP status {status} and {media[:60] or 'no content type'}"
            raise _UpstreamError(f"{self._name} answers with {what}, which is no answer of a ticker service")
        if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
            raise _UpstreamError(f"{self._name} sent a compressed answer, which was not asked for")

    async def _body(self, response: httpx.Response) -> bytes:
        parts: list[bytes] = []
        left = self._body_bytes
        # Closed explicitly: left to the garbage collector, the generator would outlive its client after a failure.
        async with contextlib.aclosing(cast("AsyncGenerator[bytes, None]", response.aiter_raw())) as chunks:
            async for chunk in chunks:
                left -= len(chunk)
                if left < 0:
                    most = f"{self._body_bytes >> 20} MB"
                    raise _UpstreamError(f"the answer of {self._name} is larger than {most}; ask for fewer symbols")
                parts.append(chunk)
        return b"".join(parts)


def _unanswered(why: str) -> Problem:
    return Problem(503, "overloaded", why, {"Retry-After": str(random.randint(1, 5))})


def _question(request: Request) -> _Question:
    """What a request asks the upstream: the path as the router matched it, without this service's own base path."""
    route, query = request.scope["route"], request.scope["query_string"].decode("latin-1")
    path = route.path_format.format(**{name: quote(text, safe=":") for name, text in request.path_params.items()})
    kept = [pair for pair in query.split("&") if unquote_plus(pair.partition("=")[0]) != TOKEN]
    query = "&".join(kept)
    headers = ((name, ", ".join(request.headers.getlist(name))) for name in ("accept", "if-none-match"))
    return _Question(f"{path}?{query}" if query else path, tuple(pair for pair in headers if pair[1]))
