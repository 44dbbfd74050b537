"""Bearer tokens: asked for once, shared among threads, renewed in time, and never shown."""

from __future__ import annotations

import base64
import json
import threading
import time
from urllib.parse import parse_qsl

import pytest

from ror_sante.errors import (
    AccessDeniedError,
    ClientRejectedError,
    ConfigurationError,
    TimedOutError,
    TokenError,
    UnexpectedResponseError,
    UnreachableError,
)
from ror_sante.http.auth import ClientCredentials, StaticToken
from ror_sante.http.clock import SYSTEM_CLOCK
from ror_sante.http.exchange import Exchange, Request
from ror_sante.http.grant import Grant
from ror_sante.http.retry import RetryPolicy
from ror_sante.http.session import SessionFactory, Timeouts

SECRET = "s3same+/=&"
TOKEN = "tok-7f3a.not.jwt~"


def granted(number: int | str = 1, **more) -> dict:
    return {"access_token": f"{TOKEN}{number}", "token_type": "Bearer", "expires_in": 300} | more


def jwt(**claims) -> str:
    def part(value) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'RS256'})}.{part(claims)}.c2ln"


class Endpoint:
    """A token endpoint that counts; each answer has a token of its own."""

    def __init__(self, reply, pause: float = 0.0, **more) -> None:
        self.reply, self.pause, self.more = reply, pause, more
        self.count = 0

    def __call__(self, _):
        self.count += 1
        time.sleep(self.pause)
        return self.reply(200, granted(self.count, **self.more))


@pytest.fixture
def source(plain, clock):
    """Make a token source for a server."""

    def make(there, *, retry=None, clock=clock, **how) -> ClientCredentials:
        exchange = plain(retry=retry or RetryPolicy(attempts=3), clock=clock)
        return ClientCredentials(exchange, there.url + "/token", **{"client_id": "ror-client", "clock": clock} | how)

    return make


def run_together(count: int, work) -> list:
    """Run `work` in threads that start at the same moment; give results and errors."""
    outcomes: list = []
    gate = threading.Barrier(count)

    def one() -> None:
        gate.wait()
        try:
            outcomes.append(work())
        except Exception as error:
            outcomes.append(error)

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


# ------------------------------------------------------------------ what is asked


@pytest.mark.parametrize(
    ("more", "form"),
    [
        ({}, []),
        ({"client_secret": SECRET}, [("client_secret", SECRET)]),
        ({"scope": "a b"}, [("scope", "a b")]),
    ],
    ids=["mutual-tls", "secret", "scope"],
)
def test_the_form_holds_what_the_profile_needs_and_no_more(server, source, reply, more, form) -> None:
    """With mutual TLS there is no secret, and no scope unless one was set."""
    there = server(lambda _: reply(200, granted()))

    assert source(there, **more).token(remaining=5.0) == f"{TOKEN}1"
    seen = there.seen[0]
    assert (seen.method, seen.path) == ("POST", "/token")
    assert seen.headers["content-type"] == "application/x-www-form-urlencoded"
    assert seen.headers["accept"] == "application/json"
    assert "authorization" not in seen.headers
    fields = parse_qsl(seen.body.decode(), strict_parsing=True)
    assert fields == [("grant_type", "client_credentials"), ("client_id", "ror-client"), *form]


def test_a_client_without_a_name_is_refused(plain) -> None:
    """And so is an exchange that would send a token to get a token."""
    with pytest.raises(ConfigurationError, match="client_id"):
        ClientCredentials(plain(), "https://h/token", client_id="")
    with pytest.raises(ConfigurationError, match="no tokens of its own"):
        ClientCredentials(plain(tokens=StaticToken("a")), "https://h/token", client_id="x")


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX: y", "é", "\x00"])
def test_a_static_token_must_fit_into_a_header(token) -> None:
    """No line break gets into a request."""
    with pytest.raises(ConfigurationError):
        StaticToken(token)


def test_a_static_token_is_what_it_is() -> None:
    """It is given, never renewed, and not shown."""
    token = StaticToken(TOKEN)
    token.invalidate(TOKEN)

    assert token.token(remaining=0.0) == TOKEN
    assert TOKEN not in repr(token)


# ------------------------------------------------------------------ how long it lives


def test_a_token_is_used_again_while_it_lives(server, source, reply, clock) -> None:
    """Three hundred seconds, thirty of margin: at 269.9 the same token, at 270.1 another."""
    there = server(Endpoint(reply))
    tokens = source(there)
    first = tokens.token(remaining=5.0)
    clock.time += 269.9
    assert tokens.token(remaining=5.0) == first
    clock.time += 0.2
    assert tokens.token(remaining=5.0) == f"{TOKEN}2"


@pytest.mark.parametrize(
    ("life", "good", "late"),
    [
        (100, 89.9, 90.1),  # a tenth of the life
        (3600, 3569.9, 3570.1),  # thirty seconds
        ("600", 569.9, 570.1),  # a string of digits
        (600.5, 570.4, 570.6),
        (0, 4.4, 4.6),  # the floor of five seconds
        (1, 4.4, 4.6),
        (10**15, 86369.9, 86370.1),  # the ceiling of a day
    ],
)
def test_expires_in_decides_with_a_margin_a_floor_and_a_ceiling(server, source, reply, clock, life, good, late) -> None:
    """The margin is the smaller of thirty seconds and a tenth of the life."""
    there = server(Endpoint(reply, expires_in=life))
    tokens = source(there)
    tokens.token(remaining=5.0)
    clock.time += good
    tokens.token(remaining=5.0)
    assert len(there.seen) == 1
    clock.time += late - good
    tokens.token(remaining=5.0)
    assert len(there.seen) == 2


NONSENSE = ["null", '"soon"', "-5", "true", "[300]", "1e999", "9" * 400, '"-3"', '"1e5"', '"' + "9" * 40 + '"', "{}"]


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_nonsense_in_expires_in_gives_way_to_the_jwt(server, source, reply, clock, nonsense) -> None:
    """`exp - iat` is a difference of the server's own times; our clock may be years off."""
    body = f'{{"access_token": "{jwt(iat=5_000_000_000, exp=5_000_000_200)}", "expires_in": {nonsense}}}'
    there = server(lambda _: reply(200, body.encode()))
    tokens = source(there)
    tokens.token(remaining=5.0)
    clock.time += 179.9
    tokens.token(remaining=5.0)
    assert len(there.seen) == 1
    clock.time += 0.2
    tokens.token(remaining=5.0)
    assert len(there.seen) == 2


def test_a_jwt_without_iat_is_counted_from_the_servers_date(server, source, reply, clock) -> None:
    """The Date of the answer is the same clock as exp."""
    token = jwt(exp=1_772_366_400 + 100)  # 2026-03-01 12:00:00 UTC and 100 seconds
    there = server(lambda _: reply(200, {"access_token": token}, Date="Sun, 01 Mar 2026 12:00:00 GMT"))
    tokens = source(there)
    tokens.token(remaining=5.0)
    clock.time += 89.9
    tokens.token(remaining=5.0)
    assert len(there.seen) == 1
    clock.time += 0.2
    tokens.token(remaining=5.0)
    assert len(there.seen) == 2


@pytest.mark.parametrize(
    "token",
    [
        "opaque",
        "a.b",
        "a.!.c",
        "a.b.c",
        "a.bnVsbA.c",  # null
        "a." + base64.urlsafe_b64encode(b"[" * 100_000).decode().rstrip("=") + ".c",
        "a." + base64.urlsafe_b64encode(b'{"exp": "\xff"}').decode().rstrip("=") + ".c",
        jwt(sub="x"),
        jwt(iat=5),
        jwt(iat=500, exp=500),
        jwt(iat=500, exp=400),
        jwt(iat=True, exp="soon"),
    ],
    ids=lambda token: token[:20],
)
def test_a_token_of_unknown_life_is_an_error(server, source, reply, token) -> None:
    """Nobody could plan its renewal; the error says what is missing."""
    there = server(lambda _: reply(200, {"access_token": token, "token_type": "bearer"}))
    with pytest.raises(TokenError, match="how long it lives") as caught:
        source(there).token(remaining=5.0)

    assert token not in f"{caught.value!r}{caught.value.hint}"
    assert len(there.seen) == 1


def test_a_life_begins_when_the_request_was_sent(server, source, reply, clock) -> None:
    """An answer that took twenty seconds has twenty seconds less to give."""

    def slow(_):
        clock.time += 20.0
        return reply(200, granted())

    there = server(slow)
    tokens = source(there)
    tokens.token(remaining=100.0)
    clock.time += 249.9
    tokens.token(remaining=100.0)
    assert len(there.seen) == 1
    clock.time += 0.2
    tokens.token(remaining=100.0)
    assert len(there.seen) == 2


def test_a_fresh_token_is_used_at_least_once(server, source, reply, clock) -> None:
    """Even one whose whole life passed on the way: a slow server is no reason to ask for ever."""

    def slow(_):
        clock.time += 20.0
        return reply(200, granted(expires_in=6))

    there = server(slow)

    assert source(there).token(remaining=100.0) == f"{TOKEN}1"
    assert len(there.seen) == 1


# ------------------------------------------------------------------ one flight


def test_threads_that_ask_together_cause_one_request(server, source, reply) -> None:
    """Sixteen threads, one token request, one token."""
    there = server(Endpoint(reply, pause=0.1))
    tokens = source(there, clock=SYSTEM_CLOCK)

    assert run_together(16, lambda: tokens.token(remaining=5.0)) == [f"{TOKEN}1"] * 16
    assert len(there.seen) == 1


def test_threads_that_wait_share_the_failure_and_the_next_one_tries_again(server, source, reply, in_turn) -> None:
    """Each gets an error of its own with the same words; nothing of it is kept."""
    refusal = reply(401, {"error": "invalid_client"})
    answers = in_turn(refusal, reply(200, granted()))

    def script(seen):
        time.sleep(0.2)
        return answers(seen)

    there = server(script)
    tokens = source(there, clock=SYSTEM_CLOCK)
    errors = run_together(8, lambda: tokens.token(remaining=5.0))

    assert {type(error) for error in errors} == {TokenError}
    assert {error.error for error in errors} == {"invalid_client"}
    assert len({id(error) for error in errors}) == 8
    assert len(there.seen) == 1
    assert tokens.token(remaining=5.0) == f"{TOKEN}1"


def test_a_thread_waits_for_another_no_longer_than_it_may(server, source, reply) -> None:
    """The one that fetches has five seconds, the one that waits a tenth of one."""
    there = server(Endpoint(reply, pause=1.0))
    tokens = source(there, clock=SYSTEM_CLOCK)
    leader = threading.Thread(target=tokens.token, kwargs={"remaining": 5.0})
    leader.start()
    while not there.seen:
        time.sleep(0.005)
    with pytest.raises(TimedOutError, match="another thread"):
        tokens.token(remaining=0.1)

    leader.join()


def test_an_endless_wait_is_allowed(server, source, reply) -> None:
    """Infinity is a number of seconds too."""
    there = server(Endpoint(reply, pause=0.05))
    tokens = source(there, clock=SYSTEM_CLOCK)

    assert len(set(run_together(4, lambda: tokens.token(remaining=float("inf"))))) == 1


def test_when_the_thread_that_fetches_is_interrupted_another_takes_over(server, source, reply) -> None:
    """Control-C in one thread is no failure of the token endpoint."""
    there = server(Endpoint(reply))
    tokens = source(there, clock=SYSTEM_CLOCK)
    send, entered, go = tokens._exchange.send, threading.Event(), threading.Event()

    def interrupted(*args, **how):
        tokens._exchange.send = send
        entered.set()
        go.wait(2)
        raise KeyboardInterrupt

    tokens._exchange.send = interrupted
    seen: list[object] = []

    def lead() -> None:
        try:
            tokens.token(remaining=5.0)
        except KeyboardInterrupt:
            seen.append("interrupted")

    leader = threading.Thread(target=lead)
    leader.start()
    entered.wait(2)
    follower = threading.Thread(target=lambda: seen.append(tokens.token(remaining=5.0)))
    follower.start()
    while not tokens._flights[""]._condition._waiters:
        time.sleep(0.005)
    go.set()
    leader.join()
    follower.join()

    assert sorted(map(str, seen)) == ["interrupted", f"{TOKEN}1"]


def test_a_refused_token_is_renewed_once_for_all_threads(server, source, plain, reply) -> None:
    """Eight threads whose common token was revoked: one new token, eight good answers."""
    endpoint = Endpoint(reply, pause=0.05)
    there = server(endpoint)
    tokens = source(there, clock=SYSTEM_CLOCK)
    revoked = tokens.token(remaining=5.0)
    api = server(lambda seen: reply(401 if seen.headers["authorization"].endswith(revoked) else 200))
    exchange = plain(tokens=tokens, clock=SYSTEM_CLOCK)
    statuses = run_together(8, lambda: exchange.send(Request("GET", api.url)).status)

    assert statuses == [200] * 8
    assert endpoint.count == 2


def test_a_token_that_has_been_replaced_cannot_be_given_back(server, source, reply) -> None:
    """A late 401 about the old token leaves the new one alone."""
    there = server(Endpoint(reply))
    tokens = source(there)
    tokens.invalidate("unknown")
    old = tokens.token(remaining=5.0)
    tokens.invalidate(old)
    new = tokens.token(remaining=5.0)
    tokens.invalidate(old)

    assert (tokens.token(remaining=5.0), len(there.seen)) == (new, 2)


# ------------------------------------------------------------------ what the server says


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("invalid_client", "subject DN"),
        ("unauthorized_client", "client_credentials"),
        ("invalid_grant", "disabled"),
        ("unsupported_grant_type", "token_url"),
        ("invalid_scope", "scope"),
        ("invalid_request", "client_id"),
        ("access_denied", "may not"),
        ("server_error", "later"),
        ("brand_new", "monserviceclient.ror@esante.gouv.fr"),
    ],
)
def test_an_oauth_error_travels_with_advice_and_is_not_repeated(server, source, reply, code, word) -> None:
    """The server's words are kept apart from ours, on one line."""
    refusal = {"error": code, "error_description": "Invalid client\n\x1b[31m or credentials"}
    there = server(lambda _: reply(400, refusal, X_Request_Id="r-1"))
    with pytest.raises(TokenError) as caught:
        source(there).token(remaining=5.0)

    error = caught.value
    assert (error.error, error.status, error.retryable) == (code, 400, False)
    assert error.description == "Invalid client \\x1b[31m or credentials"
    assert str(error).startswith("[request r-1] 127.0.0.1:")
    assert f"refuses client 'ror-client': {code} (Invalid client" in str(error)
    assert word in error.hint
    assert len(there.seen) == 1


def test_an_oauth_error_may_come_without_words_and_with_status_200(server, source, reply) -> None:
    """Some servers do that."""
    there = server(lambda _: reply(200, {"error": "invalid_scope", "error_description": 5}))
    with pytest.raises(TokenError, match=r"invalid_scope$") as caught:
        source(there).token(remaining=5.0)

    assert caught.value.description == ""


def test_a_secret_that_the_server_repeats_is_taken_out(server, source, reply) -> None:
    """Its words go into logs and tickets."""
    there = server(lambda _: reply(401, {"error": "invalid_client", "error_description": f"{SECRET} is wrong"}))
    with pytest.raises(TokenError, match="… is wrong") as caught:
        source(there, client_secret=SECRET).token(remaining=5.0)

    assert SECRET not in f"{caught.value!r}{caught.value.description}"


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (502, b"<html><title>Passerelle</title>", 'answered 502 and sent an HTML page "Passerelle" as a gateway'),
        (404, b"<html>", "answered 404 and sent an HTML page as a gateway"),
        (403, b" ", "answered 403 and sent an empty body"),
        (400, b"[" * 100_000, "answered 400 and sent a body that is no JSON object"),
        (400, b"{}", "answered 400 and explains nothing"),
        (200, b"<html><title>Portail</title>", 'gave no token: it sent an HTML page "Portail"'),
        (200, b"", "gave no token: it sent an empty body"),
        (200, b'{"access_token": ', "gave no token: it sent a body that is no JSON object"),
        (200, b'{"access_token": "\xff"}', "gave no token: it sent a body that is no JSON object"),
        (200, b"[]", "gave no token: it sent a body that is no JSON object"),
        (200, b"{}", "without access_token"),
        (200, b'{"access_token": 5, "expires_in": 5}', "without access_token"),
        (200, b'{"access_token": "", "expires_in": 5}', "without access_token"),
        (200, b'{"access_token": "a\\r\\nX: y", "expires_in": 5}', "no header can hold"),
        (200, '{"access_token": "é", "expires_in": 5}'.encode(), "no header can hold"),
        (200, b'{"access_token": "a b", "expires_in": 5}', "no header can hold"),
        (200, b'{"access_token": "a", "expires_in": 5, "token_type": "MAC\\u001b"}', "of type 'MAC"),
    ],
)
def test_what_is_no_token_is_named(server, source, reply, status, body, told) -> None:
    """A gateway, a portal, half an answer: a TokenError in one printable sentence, with a hint."""
    there = server(lambda _: reply(status, body))
    with pytest.raises(TokenError) as caught:
        source(there, retry=RetryPolicy.none()).token(remaining=5.0)

    assert told in str(caught.value)
    assert str(caught.value).isprintable()
    assert caught.value.hint
    assert caught.value.status == status
    assert caught.value.fault == ("page-instead" if "HTML page" in told else "")


@pytest.mark.parametrize(
    ("status", "body", "requests"),
    [
        (503, b"", 2),
        (429, b"", 2),
        (502, b"<html>", 2),
        (504, b"", 2),
        (500, b"", 1),
        (404, b"", 1),
        (503, {"error": "server_error"}, 2),
        (429, {"error": "slow_down"}, 2),
        (400, {"error": "temporarily_unavailable"}, 2),
        (500, {"error": "server_error"}, 1),
        (401, {"error": "invalid_client"}, 1),
    ],
    ids=str,
)
def test_only_a_passing_trouble_is_tried_again(server, source, reply, in_turn, clock, status, body, requests) -> None:
    """With the Retry-After that came with it."""
    clock.lot = 0.0
    there = server(in_turn(reply(status, body, Retry_After="3"), reply(200, granted())))
    tokens = source(there)
    if requests == 1:
        with pytest.raises(TokenError):
            tokens.token(remaining=50.0)
    else:
        tokens.token(remaining=50.0)

    assert len(there.seen) == requests
    assert clock.slept == [3.0] * (requests - 1)


def test_a_redirect_of_the_token_endpoint_is_not_followed(server, source, reply) -> None:
    """Our form goes to the configured address only."""
    other = server(lambda _: reply(200, granted()))
    there = server(lambda _: reply(307, Location=other.url))
    with pytest.raises(UnexpectedResponseError, match="not followed"):
        source(there).token(remaining=5.0)

    assert other.seen == []


def test_a_front_end_that_refuses_our_certificate_says_so_here_too(server, source, reply) -> None:
    """It is a matter of the certificate, not of the client account."""
    page = b"<html><title>400</title><center>No required SSL certificate was sent</center></html>"
    there = server(lambda _: reply(400, page, Content_Type="text/html"))
    with pytest.raises(ClientRejectedError):
        source(there).token(remaining=5.0)


def test_an_unreachable_token_endpoint_is_tried_by_its_own_policy_alone(server, source, plain, reply, clock) -> None:
    """Three attempts for the token, and the call around it makes them not nine."""
    there, api = server(lambda _: [b""]), server(lambda _: reply())
    exchange = plain(tokens=source(there), retry=RetryPolicy(attempts=3))
    with pytest.raises(UnreachableError):
        exchange.send(Request("GET", api.url))

    assert (len(there.seen), len(api.seen)) == (3, 0)


def test_the_time_of_the_caller_bounds_the_token(server, source, clock, reply) -> None:
    """With two seconds left, no wait of three is begun."""
    there = server(lambda _: reply(503, Retry_After="3"))
    with pytest.raises(TokenError) as caught:
        source(there).token(remaining=2.0)

    assert "would pass the deadline of 2.0 s" in caught.value.__notes__[0]


# ------------------------------------------------------------------ nothing shows


def test_no_secret_in_repr_log_message_or_local(server, source, plain, reply, caplog, capsys) -> None:
    """Neither the secret nor a token is seen anywhere that a person or a program would look."""
    there = server(lambda _: reply(200, granted(token_type="mac", client_secret=SECRET)))
    tokens = source(there, client_secret=SECRET)
    with caplog.at_level("DEBUG"), pytest.raises(TokenError) as caught:
        tokens.token(remaining=5.0)

    assert repr(Grant(TOKEN, 5.0)) == "Grant(life=5.0)"
    locals_ = [repr(entry.frame.f_locals) for entry in caught.traceback if "/src/ror_sante/" in str(entry.path)]
    told = "\n".join([repr(tokens), repr(caught.value), caught.value.hint, caplog.text, *capsys.readouterr(), *locals_])
    assert len(locals_) >= 3
    for secret in (SECRET, "s3same", TOKEN):
        assert secret not in told


def test_no_token_in_the_errors_of_the_service(server, source, plain, reply, caplog) -> None:
    """A service that refuses everything, at level DEBUG."""
    there, api = server(Endpoint(reply)), server(lambda _: reply(401))
    exchange = plain(tokens=source(there))
    with caplog.at_level("DEBUG"), pytest.raises(AccessDeniedError) as caught:
        exchange.send(Request("GET", api.url))

    assert TOKEN not in caplog.text + repr(caught.value) + repr(exchange.tokens)


# ------------------------------------------------------------------ over the real thing


def test_over_mutual_tls_the_certificate_is_the_credential(serve, pki, version) -> None:
    """RFC 8705: leaf and intermediate arrive, and no secret does."""
    body = json.dumps(granted()).encode()
    there = serve(
        version=version, answer=lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    )
    with SessionFactory(pki.identity(), pki.anchor).session(there.url) as session:
        exchange = Exchange(session, retry=RetryPolicy.none(), timeout=Timeouts())
        tokens = ClientCredentials(exchange, f"{there.url}/token", client_id="ror-client")
        assert tokens.token(remaining=5.0) == f"{TOKEN}1"

    assert len(there.visits[0].chain) == 2
    assert b"client_secret" not in there.received()[0]
