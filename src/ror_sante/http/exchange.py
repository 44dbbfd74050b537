"""The only way out: send a request within its time, with its token, again where that is safe, and judge the answer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from ror_sante._version import __version__
from ror_sante.errors import ClientRejectedError, RorError, TimedOutError, TransportError, masked_url
from ror_sante.http.answer import Answer, Request
from ror_sante.http.body import ACCEPT_ENCODING, Limits, pour_body, read_body
from ror_sante.http.clock import SYSTEM_CLOCK
from ror_sante.http.status import front_end_refusal, status_error
from ror_sante.tls.cancel import check_cancelled
from ror_sante.tls.outgoing import Outgoing

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from urllib3.response import BaseHTTPResponse

    from ror_sante.http.auth import Tokens
    from ror_sante.http.clock import Clock
    from ror_sante.http.rate import RateLimit
    from ror_sante.http.retry import RetryBudget, RetryPolicy
    from ror_sante.http.session import Timeouts
    from ror_sante.pki.identity import ClientIdentity
    from ror_sante.tls.sighting import Sighting

__all__ = ["Answer", "Exchange", "Judge", "Lease", "Limits", "Request", "Sender", "Sink", "status_error"]

Judge = Callable[[Answer], RorError | None]
_UNAUTHORIZED: Final = 401
_FOREVER: Final = float("inf")
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
_STANDARD: Final = {"User-Agent": f"ror-sante/{__version__}", "Accept-Encoding": ACCEPT_ENCODING}
_log = logging.getLogger("ror_sante.http")


class Lease(Protocol):
    """One identity and its connections, for one request."""

    @property
    def identity(self) -> ClientIdentity | None:
        """What is presented, or None."""
        ...

    @property
    def in_force(self) -> bool:
        """Whether no other has taken its place meanwhile."""
        ...

    def exchange_send(self, outgoing: Outgoing, *, timeout: tuple[float, float]) -> BaseHTTPResponse:
        """Send one request once and leave the body unread; failures are errors of our tree."""
        ...


class Sender(Protocol):
    """What the exchange needs of a session."""

    @property
    def budget(self) -> RetryBudget:
        """What the calls of the session may spend on repetitions."""
        ...

    def lease(self, identity: ClientIdentity | None = None) -> AbstractContextManager[Lease]:
        """Take the identity in force, or the one that is given, for one request."""
        ...

    def refused(self, identity: ClientIdentity | None) -> bool:
        """Take note that a server refused an identity; tell whether another one is in force now."""
        ...


class Sink(Protocol):
    """Takes a body piece by piece, and again from its start when an attempt failed half way."""

    def begin(self, answer: Answer, /) -> None:
        """Hear of a good answer whose body comes next: from its first byte, unless its status is 206.

        Args:
            answer: its status and headers; its body is empty.
        """
        ...

    def write(self, data: bytes, /) -> object:
        """Take one piece."""
        ...


class Exchange:
    """Sends requests through one session and gives answers that were judged.

    Args:
        session: makes single attempts; a `ror_sante.http.session.RorSession`.
        retry: when an attempt is repeated, and the deadline of a call.
        timeout: limits of one attempt, in seconds; what is left of the deadline shortens them.
        tokens: gives the bearer token; None sends none.
        judge: tells whether an answer is an error.
        limits: how large an answer may be.
        rate: how often a host is called; None holds nothing back.
        clock: what tells the time and waits.
    """

    def __init__(
        self,
        session: Sender,
        *,
        retry: RetryPolicy,
        timeout: Timeouts,
        tokens: Tokens | None = None,
        judge: Judge = status_error,
        limits: Limits | None = None,
        rate: RateLimit | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.session = session
        self.retry = retry
        self.timeout = timeout
        self.tokens = tokens
        self.judge = judge
        self.limits = limits or Limits()
        self.rate = rate
        self.clock = clock

    def send(
        self,
        request: Request,
        *,
        judge: Judge | None = None,
        within: float = _FOREVER,
        identity: ClientIdentity | None = None,
        budget: RetryBudget | None = None,
    ) -> Answer:
        """Send a request and give its answer.

        A 401 costs the token: it is forgotten, and the request is sent once more with a new one. When our certificate
        is refused and a newer one has taken its place, the request is sent once more with that.

        Args:
            request: what to send.
            judge: takes the place of the exchange's own, for this call.
            within: seconds that the caller has left, when they are fewer than the policy's deadline.
            identity: present this one and no other; None presents the one in force.
            budget: what repetitions may cost; None takes that of the session.

        Raises:
            TransportError: no answer could be had. `ClientRejectedError` also for the page by which a front end
                refuses our certificate.
            TokenError: no token could be had.
            ApiError: what the judge made of the answer; or an answer too large or broken (`UnexpectedResponseError`).
        """
        call = _Call(self, request, judge or self.judge, identity=identity)
        return self.retry.run(
            call.attempt,
            repeatable=request.may_repeat,
            budget=self.session.budget if budget is None else budget,
            clock=self.clock,
            within=within,
        )

    def pour(
        self,
        request: Request | Callable[[], Request],
        sink: Sink,
        *,
        deadline: float,
        limits: Limits | None = None,
        judge: Judge | None = None,
    ) -> Answer:
        """Send a request and hand the body of a good answer to a sink as it comes, never whole in memory.

        Token, retries, judgement and errors are those of `send`. An attempt that breaks off half way is repeated from
        the first byte, unless the next request asks for the rest alone. The body of an answer with another status than
        200 to 299 is read as `send` does.

        Args:
            request: what to send; or what gives it, asked before each attempt: of the same method and address.
            sink: takes the body; what it raises ends the call.
            deadline: seconds for the whole call, in place of the policy's: a file may take longer than a page.
            limits: how large the body may be; None takes the exchange's.
            judge: takes the place of the exchange's own, for this call.

        Returns:
            The answer, with an empty body.

        Raises:
            RorError: as `send`.
        """
        first = request() if callable(request) else request
        call = _Call(self, first, judge or self.judge, sink=sink, limits=limits)
        call.anew = request if callable(request) else None
        retry = replace(self.retry, deadline=deadline)
        return retry.run(call.attempt, repeatable=first.may_repeat, budget=self.session.budget, clock=self.clock)


class _Bearer:
    """A token on its way through this module, that no traceback's locals show."""

    __slots__ = ("token",)

    def __init__(self, token: str) -> None:
        self.token = token


class _Call:
    """One call: its attempts share the one renewal of the token."""

    def __init__(
        self,
        exchange: Exchange,
        request: Request,
        judge: Judge,
        *,
        sink: Sink | None = None,
        limits: Limits | None = None,
        identity: ClientIdentity | None = None,
    ) -> None:
        self.anew: Callable[[], Request] | None = None
        self._exchange = exchange
        self._identity = identity
        self._sink = sink
        self._limits = limits or exchange.limits
        self._clock = exchange.clock
        self._request = request
        self._judge = judge
        self._sent = 0
        self._renewed = False
        self._swapped = False
        self._sighting: Sighting | None = None

    def attempt(self, left: float) -> Answer:
        """Send once, and once more with a newer identity when a server refuses ours."""
        end = self._clock.monotonic() + left
        session = self._exchange.session
        with session.lease(self._identity) as lease:
            try:
                return self._judged(lease, end)
            except RorError as error:
                again = _refuses(error) and self._identity is None and not self._swapped
                if not (again and session.refused(lease.identity)):
                    raise
        self._swapped, self._renewed = True, False
        return self.attempt(self._left(end))

    def _judged(self, lease: Lease, end: float) -> Answer:
        """Send once with the identity of the lease, and once more after a refused token."""
        bearer = self._bearer(lease, end)
        answer = self._exchanged(lease, bearer, end)
        if answer.status == _UNAUTHORIZED and bearer is not None:
            answer = self._with_another_token(answer, lease, bearer, end)
        refusal = front_end_refusal(answer)
        if refusal is not None:
            self._show_receipt(refusal, failed=False)
            raise refusal
        error = self._judge(answer)
        if error is not None:
            raise error
        return answer

    def _bearer(self, lease: Lease, end: float) -> _Bearer | None:
        tokens = self._exchange.tokens
        return None if tokens is None else _Bearer(tokens.token(remaining=self._left(end), identity=lease.identity))

    def _with_another_token(self, refused: Answer, lease: Lease, bearer: _Bearer, end: float) -> Answer:
        """Renew the token, once in a call: a service that refuses the second one means the account."""
        if self._renewed or self._exchange.tokens is None:
            return refused
        self._renewed = True
        self._exchange.tokens.invalidate(bearer.token)
        newer = self._bearer(lease, end)
        if newer is None or newer.token == bearer.token:
            return refused
        return self._exchanged(lease, newer, end)

    def _exchanged(self, lease: Lease, bearer: _Bearer | None, end: float) -> Answer:
        """Send one request when it may go, read its answer whole, and give the connection back."""
        check_cancelled()
        if self._sent and self.anew is not None:
            self._request = self.anew()
        if self._exchange.rate is not None:
            self._exchange.rate.admit(self._request.url, within=self._left(end))
        self._sent += 1
        start = self._clock.monotonic()
        try:
            answer = self._answer(lease, _outgoing(self._request, bearer), start, end)
        except RorError as error:
            self._note(type(error).__name__, start)
            check_cancelled()  # a socket that was shut by us has not failed
            raise
        self._note(str(answer.status), start)
        return answer

    def _answer(self, lease: Lease, outgoing: Outgoing, start: float, end: float) -> Answer:
        left, limits = self._left(end), self._exchange.timeout
        timeout = (min(limits.connect, left), min(limits.read, left))
        response = lease.exchange_send(outgoing, timeout=timeout)
        self._sighting = getattr(response.connection, "sighting", None)
        try:
            body = self._body(response, start, end, timeout[1])
        except TransportError as error:
            self._show_receipt(error, failed=True)
            raise
        finally:
            response.close()  # a body that was read whole has given its connection back before
            response.release_conn()
        return self._seen(response, start, body)

    def _seen(self, response: BaseHTTPResponse, start: float, body: bytes) -> Answer:
        return Answer(
            method=self._request.method,
            url=self._request.url,
            status=response.status,
            headers=response.headers,
            body=body,
            seconds=self._clock.monotonic() - start,
            received=self._clock.now(),
        )

    def _body(self, response: BaseHTTPResponse, start: float, end: float, patience: float) -> bytes:
        """Read the body; that of a good answer goes to the sink, if there is one."""
        about: dict[str, Any] = {"until": end, "patience": patience, "clock": self._clock}
        if self._sink is None or not 200 <= response.status < 300:
            return read_body(response, self._request, limits=self._exchange.limits, **about)
        self._sink.begin(self._seen(response, start, b""))
        pour_body(response, self._request, self._sink, limits=self._limits, **about)
        return b""

    def _show_receipt(self, error: TransportError, *, failed: bool) -> None:
        """Let an error that an answer brought show what was seen of its connection."""
        if error.receipt is None and self._sighting is not None:
            error.receipt = self._sighting.receipt(failed=failed)

    def _left(self, end: float) -> float:
        left = end - self._clock.monotonic()
        if left <= 0:
            raise TimedOutError(
                f"the time for {self._request.method} {masked_url(self._request.url)} has passed",
                hint="Raise the deadline, or see with `ror-sante smoke-test` what takes so long.",
            )
        return left

    def _note(self, outcome: str, start: float) -> None:
        if _log.isEnabledFor(logging.DEBUG):
            url, seconds = masked_url(self._request.url), self._clock.monotonic() - start
            _log.debug("%s %s: %s in %.3f s (sent %d)", self._request.method, url, outcome, seconds, self._sent)


def _refuses(error: RorError) -> bool:
    """Tell whether an error may mean that our certificate is no longer accepted; nothing was done for us then."""
    return isinstance(error, ClientRejectedError) or getattr(error, "status", None) == _UNAUTHORIZED


def _outgoing(request: Request, bearer: _Bearer | None) -> Outgoing:
    """Make what the session sends; `Request` has checked it, and the address goes out exactly as it is written."""
    ours = {}
    if request.body is not None or request.method in _WITH_BODY:
        ours["Content-Length"] = str(len(request.body or b""))
    if bearer is not None:
        ours["Authorization"] = f"Bearer {bearer.token}"
    named = {
        name.lower(): (name, value) for layer in (_STANDARD, request.headers, ours) for name, value in layer.items()
    }
    return Outgoing(request.method, request.url, dict(named.values()), request.body)
