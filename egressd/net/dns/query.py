"""One DNS query to one resolver: UDP with EDNS, twice; UDP without EDNS; TCP. In that order, as needed.

All datagrams leave one socket that stays open to the end, and a late answer to any of them counts: a resolver
that has to recurse is slow the first time, and that is no failure.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Literal

import dns.name
from msgspec import Struct
from msgspec.structs import replace

from egressd.clock import monotonic
from egressd.model.observation import DnsQuery, Failure, Icmp, OtherAnswer
from egressd.model.settings import Source
from egressd.net.dial import TcpStream, dial
from egressd.net.dns.message import QueryMessage, RecordType, ResponseMessage, make_query, parse_response
from egressd.net.sockets.datagram import Datagrams
from egressd.net.sockets.errors import PhaseError, phase_error
from egressd.net.sockets.literal import parse_literal
from egressd.net.stopwatch import Stopwatch

_UDP_STEPS: tuple[tuple[bool, float], ...] = ((True, 0.15), (True, 0.45), (False, 0.7))
"""With EDNS or not, and the share of the timeout at which the step ends. TCP has the rest."""
_MIN_SECONDS = 0.05
_RACE_SECONDS = 0.1
"""How long to listen after an answer: whoever injects answers on the path is faster than the resolver."""
_MAX_OTHER_ANSWERS = 4
_UNREAD = frozenset({Failure.MALFORMED, Failure.TOO_LARGE})
ANSWERED_EARLIER = "not waited for: an earlier question was answered meanwhile"


class QueryResult(Struct, frozen=True, kw_only=True):
    """The record of a query, and the answer if there is one."""

    query: DnsQuery
    latest: DnsQuery | None = None
    """The record of the latest query, where `query` is an earlier one that was answered late."""
    answer: ResponseMessage | None = None
    timed_out: bool = False
    """Whether the time ran out; datagrams that answer none of our queries don't count."""


class DnsQuerySession:
    """Sends queries until one gets a final answer; `queries` are the records so far."""

    def __init__(
        self,
        name: dns.name.Name,
        rtype: RecordType,
        *,
        address: str,
        port: int,
        source: Source,
        end: float,
    ) -> None:
        self.queries: list[DnsQuery] = []
        self._name = name
        self._rtype = rtype
        self._address = address
        self._port = port
        self._source = source
        self._started = monotonic()
        self._seconds = end - self._started
        self._queries_sent: dict[int, QueryMessage] = {}
        self._stopwatches: dict[int, tuple[int, Stopwatch]] = {}
        """By message id: its index in `queries`, and the stopwatch started when it was sent."""

    async def run(self) -> QueryResult:
        """Query over UDP, then over TCP where no datagram was accepted or the answer was truncated."""
        try:
            datagrams = self._open()
        except PhaseError as error:
            return self._record(_failure("udp", Stopwatch(), error, edns=True))
        try:
            last = await self._udp_steps(datagrams)
            if last.answer is not None and not last.answer.truncated:
                return await self._watch_for_race(datagrams, last)
            if not last.timed_out:
                return await self._over_tcp_too(last)
            return await self._tcp_or_late_datagram(datagrams, last)
        finally:
            datagrams.close()

    async def run_udp(self) -> QueryResult:
        """Query over UDP only."""
        try:
            datagrams = self._open()
        except PhaseError as error:
            return self._record(_failure("udp", Stopwatch(), error, edns=True))
        try:
            last = await self._udp_steps(datagrams)
            return await self._late_datagram(datagrams, last) if last.timed_out else last
        finally:
            datagrams.close()

    async def run_tcp(self) -> QueryResult:
        """Query over TCP (RFC 7766)."""
        watch = Stopwatch()
        left = self._seconds_left(1.0)
        observation, stream = await dial(self._address, self._port, source=self._source, timeout=left)
        sent = make_query(self._name, self._rtype, edns=True)
        if stream is None:
            error = PhaseError(observation.failure or Failure.OS_ERROR, observation.detail, observation.errno)
            return self._record(_failure("tcp", watch, error, edns=True, icmp=observation.icmp))
        try:
            return self._record(_success("tcp", watch, await self._exchange(stream, sent)))
        except PhaseError as error:
            return self._record(_failure("tcp", watch, error, edns=True))
        finally:
            stream.close()

    def _open(self) -> Datagrams:
        return Datagrams(self._address, self._port, source=self._source)

    async def _over_tcp_too(self, last: QueryResult) -> QueryResult:
        """Query over TCP where the answer was truncated or UDP is closed; keep UDP's end where TCP fails."""
        closed = last.query.failure in (Failure.REFUSED, Failure.UNREACHABLE)
        if last.answer is None and not closed:
            return last
        over_tcp = await self.run_tcp()
        return last if closed and over_tcp.answer is None else over_tcp

    async def _tcp_or_late_datagram(self, datagrams: Datagrams, last: QueryResult) -> QueryResult:
        """Query over TCP, and go on listening for datagrams; the first answer counts."""
        async with asyncio.TaskGroup() as group:
            over_tcp = group.create_task(self.run_tcp())
            late = group.create_task(self._late_datagram(datagrams, last))
            await asyncio.wait((over_tcp, late), return_when=asyncio.FIRST_COMPLETED)
            if not (late.done() and late.result().answer is not None):
                tcp_result = await over_tcp
                if tcp_result.answer is not None:
                    late.cancel()
                    return tcp_result
                await late
            over_tcp.cancel()
        if late.result().answer is None:
            return last if last.query.failure in _UNREAD else over_tcp.result()
        if over_tcp.cancelled():
            self.queries.append(DnsQuery(transport="tcp", edns=True, elapsed_ms=0.0, detail=ANSWERED_EARLIER))
        return late.result()

    async def _late_datagram(self, datagrams: Datagrams, last: QueryResult) -> QueryResult:
        """Listen until the time is over; return `last` where no query was answered."""
        received = _ResponseFilter(self._queries_sent)
        try:
            answer = await datagrams.wait_for_answer(received.read, timeout=self._seconds_left(1.0))
        except PhaseError:
            return last
        index, since = self._stopwatches[answer.id]
        found = _success("udp", since, answer, ignored=received.count)
        self.queries[index] = found.query
        return found

    async def _watch_for_race(self, datagrams: Datagrams, last: QueryResult) -> QueryResult:
        """Listen a moment longer for other answers to the query that was answered, and record them."""
        first = last.answer
        if first is None or _is_loopback(self._address):
            return last
        index, since = self._stopwatches[first.id]
        others = _OtherAnswers(first, self._queries_sent, since)
        seconds = min(_RACE_SECONDS, self._seconds_left(1.0))
        with contextlib.suppress(PhaseError):
            await datagrams.wait_for_answer(others.read, timeout=seconds)
        if not others.found:
            return last
        query = replace(self.queries[index], other_answers=tuple(others.found))
        self.queries[index] = query
        return replace(last, query=query)

    async def _udp_steps(self, datagrams: Datagrams) -> QueryResult:
        last: QueryResult | None = None
        refused_edns = False
        for edns, share in _UDP_STEPS:
            if refused_edns and edns:
                continue
            last = self._record(
                await self._udp_query(datagrams, edns=edns, seconds=self._seconds_left(share))
            )
            refused_edns = last.answer is not None and last.answer.rejects_edns
            if not last.timed_out and not refused_edns:
                break
        if last is None:
            raise RuntimeError("there is no UDP step")
        return last

    async def _udp_query(self, datagrams: Datagrams, *, edns: bool, seconds: float) -> QueryResult:
        watch = Stopwatch()
        sent = make_query(self._name, self._rtype, edns=edns)
        self._queries_sent[sent.id] = sent
        self._stopwatches[sent.id] = (len(self.queries), watch)
        received = _ResponseFilter(self._queries_sent)
        try:
            datagrams.send(sent.wire)
            answer = await datagrams.wait_for_answer(received.read, timeout=seconds)
            return self._match_to_query(answer, sent, watch, ignored=received.count)
        except PhaseError as error:
            return _failure("udp", watch, received.explain_timeout(error), edns=edns, icmp=datagrams.icmp)

    def _match_to_query(
        self, answer: ResponseMessage, sent: QueryMessage, watch: Stopwatch, *, ignored: int
    ) -> QueryResult:
        """Record an answer with the query it belongs to: an earlier query was answered late, not lost."""
        if answer.id == sent.id:
            return _success("udp", watch, answer, ignored=ignored)
        index, since = self._stopwatches[answer.id]
        late = _success("udp", since, answer, ignored=ignored)
        self.queries[index] = late.query
        unanswered = DnsQuery(
            transport="udp", edns=sent.edns, elapsed_ms=watch.elapsed_ms, detail=ANSWERED_EARLIER
        )
        return replace(late, latest=unanswered)

    async def _exchange(self, stream: TcpStream, sent: QueryMessage) -> ResponseMessage:
        """Send a query and read its answer, each prefixed with its length (RFC 1035 section 4.2.2)."""
        try:
            async with asyncio.timeout(self._seconds_left(1.0)):
                await stream.write(len(sent.wire).to_bytes(2, "big") + sent.wire)
                size = int.from_bytes(await _read_exactly(stream, 2), "big")
                answer = parse_response(await _read_exactly(stream, size), {sent.id: sent})
        except (OSError, MemoryError) as error:
            raise phase_error(error) from None
        if answer is None:
            raise PhaseError(Failure.MALFORMED, "the answer is to another question")
        return answer

    def _seconds_left(self, share: float) -> float:
        return max(_MIN_SECONDS, self._started + self._seconds * share - monotonic())

    def _record(self, result: QueryResult) -> QueryResult:
        self.queries.append(result.latest or result.query)
        return result


class _ResponseFilter:
    """Parses datagrams and counts those that answer none of our queries, or can't be read.

    Anybody can send a datagram, so none of them ends the wait for the right one.
    """

    def __init__(self, sent: dict[int, QueryMessage]) -> None:
        self.count = 0
        self._queries_sent = sent
        self._unread: PhaseError | None = None

    def read(self, data: bytes) -> ResponseMessage | None:
        try:
            answer = parse_response(data, self._queries_sent)
        except PhaseError as error:
            answer, self._unread = None, error
        self.count += answer is None
        return answer

    def explain_timeout(self, error: PhaseError) -> PhaseError:
        """Return a timeout as MALFORMED or TOO_LARGE where datagrams did arrive that are no answer."""
        if error.failure is not Failure.TIMEOUT or not self.count:
            return error
        if self._unread is not None:
            return PhaseError(self._unread.failure, self._unread.detail, timed_out=True)
        detail = f"only {self.count} datagrams that answer no question of ours"
        return PhaseError(Failure.MALFORMED, detail, timed_out=True)


class _OtherAnswers:
    """Collects the answers to one query that say something else than the first one."""

    def __init__(self, first: ResponseMessage, sent: dict[int, QueryMessage], since: Stopwatch) -> None:
        self.found: list[OtherAnswer] = []
        self._first = first
        self._sent = {first.id: sent[first.id]}
        self._since = since

    def read(self, data: bytes) -> ResponseMessage | None:
        """Keep a different answer; the wait goes on until enough of them came."""
        with contextlib.suppress(PhaseError):
            answer = parse_response(data, self._sent)
            if answer is not None and _content(answer) != _content(self._first):
                self.found.append(
                    OtherAnswer(
                        rcode=answer.rcode, answers=answer.addresses, elapsed_ms=self._since.elapsed_ms
                    )
                )
                return answer if len(self.found) >= _MAX_OTHER_ANSWERS else None
        return None


def _content(answer: ResponseMessage) -> tuple[str, frozenset[str]]:
    return answer.rcode, frozenset(answer.addresses)


def _is_loopback(address: str) -> bool:
    parsed = parse_literal(address.partition("%")[0])
    return parsed is not None and parsed.is_loopback


async def _read_exactly(stream: TcpStream, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        more = await stream.read(size - len(data))
        if not more:
            raise PhaseError(Failure.CLOSED, f"closed after {len(data)} of {size} bytes")
        data += more
    return bytes(data)


def _success(
    transport: Literal["udp", "tcp"], watch: Stopwatch, answer: ResponseMessage, *, ignored: int = 0
) -> QueryResult:
    truncated = answer.truncated and transport == "udp"
    query = DnsQuery(
        transport=transport,
        edns=answer.edns,
        elapsed_ms=watch.elapsed_ms,
        failure=Failure.TRUNCATED if truncated else answer.failure,
        detail="the answer does not fit a datagram (TC)" if truncated else "",
        rcode=answer.rcode,
        flags=answer.flags,
        answers=answer.addresses,
        authority_soa=answer.authority_soa,
        extended_errors=answer.extended_errors,
        bytes_received=answer.size,
        referral=answer.referral,
        ignored=ignored,
    )
    return QueryResult(query=query, answer=answer)


def _failure(
    transport: Literal["udp", "tcp"],
    watch: Stopwatch,
    error: PhaseError,
    *,
    edns: bool,
    icmp: Icmp | None = None,
) -> QueryResult:
    query = DnsQuery(
        transport=transport,
        edns=edns,
        elapsed_ms=watch.elapsed_ms,
        failure=error.failure,
        detail=error.detail,
        errno=error.errno,
        icmp=icmp,
    )
    return QueryResult(query=query, timed_out=error.timed_out)
