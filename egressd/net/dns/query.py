"""One name asked of one resolver: UDP with EDNS, sent twice; UDP without; TCP. In that order, as needed.

All datagrams leave one socket and any of their answers counts, however late: a resolver that has to
recurse is slow the first time, and that is no fault.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Literal

import dns.name

from egressd.clock import monotonic
from egressd.model.observation import DnsQuery, Failure, Icmp
from egressd.model.settings import Source
from egressd.net.dial import TcpStream, dial
from egressd.net.dns.message import QueryMessage, RecordType, ResponseMessage, make_query, parse_response
from egressd.net.sockets.datagram import Datagrams
from egressd.net.sockets.errors import PhaseError, phase_error
from egressd.net.stopwatch import Stopwatch

_UDP_STEPS: tuple[tuple[bool, float], ...] = ((True, 0.15), (True, 0.45), (False, 0.7))
"""With EDNS or not, and the share of the whole time at which the step gives up. TCP has the rest."""
_LEAST_SECONDS = 0.05
ANSWERED_EARLIER = "not waited for: an earlier question was answered meanwhile"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryResult:
    """A question's fact, and the answer where one came."""

    fact: DnsQuery
    noted: DnsQuery | None = None
    """The fact of the last question, where `fact` is that of an earlier one."""
    answer: ResponseMessage | None = None
    silent: bool = False
    """Whether the time ran out; datagrams that answer no question of ours don't count."""


class DnsQuerySession:
    """Asks until somebody says something final; `queries` are the facts so far."""

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
        self._begun = monotonic()
        self._seconds = end - self._begun
        self._asked: dict[int, QueryMessage] = {}
        self._sent: dict[int, tuple[int, Stopwatch]] = {}
        """By question id: which of `queries` it is, and since when."""

    async def run(self) -> QueryResult:
        """Ask over UDP, and over TCP where that was silent or not enough."""
        last = await self._over_udp()
        if last.silent or (last.answer is not None and last.answer.truncated):
            return await self.run_tcp()
        return last

    async def run_tcp(self) -> QueryResult:
        """Ask over TCP (RFC 7766)."""
        watch = Stopwatch()
        left = self._left(1.0)
        observation, stream = await dial(self._address, self._port, source=self._source, timeout=left)
        question = make_query(self._name, self._rtype, edns=True)
        if stream is None:
            error = PhaseError(observation.failure or Failure.OS_ERROR, observation.detail, observation.errno)
            return self._note(_failed("tcp", watch, error, edns=True, icmp=observation.icmp))
        try:
            return self._note(_answered("tcp", watch, await self._exchange(stream, question)))
        except PhaseError as error:
            return self._note(_failed("tcp", watch, error, edns=True))
        finally:
            stream.close()

    async def _over_udp(self) -> QueryResult:
        watch = Stopwatch()
        try:
            datagrams = Datagrams(self._address, self._port, source=self._source)
        except PhaseError as error:
            return self._note(_failed("udp", watch, error, edns=True))
        try:
            return await self._steps(datagrams)
        finally:
            datagrams.close()

    async def _steps(self, datagrams: Datagrams) -> QueryResult:
        last: QueryResult | None = None
        refused_edns = False
        for edns, share in _UDP_STEPS:
            if refused_edns and edns:
                continue
            last = self._note(await self._ask_udp(datagrams, edns=edns, seconds=self._left(share)))
            refused_edns = last.answer is not None and last.answer.rejects_edns
            if not last.silent and not refused_edns:
                break
        if last is None:
            raise RuntimeError("there is no UDP step")
        return last

    async def _ask_udp(self, datagrams: Datagrams, *, edns: bool, seconds: float) -> QueryResult:
        watch = Stopwatch()
        question = make_query(self._name, self._rtype, edns=edns)
        self._asked[question.id] = question
        self._sent[question.id] = (len(self.queries), watch)
        strays = _Strays(self._asked)
        try:
            datagrams.send(question.wire)
            answer = await datagrams.wait_for_answer(strays.read, timeout=seconds)
            return self._attribute(answer, question, watch)
        except PhaseError as error:
            return _failed("udp", watch, strays.explain(error), edns=edns, icmp=datagrams.icmp)

    def _attribute(self, answer: ResponseMessage, question: QueryMessage, watch: Stopwatch) -> QueryResult:
        """Credit an answer to the question it answers: one that came late was slow, not lost."""
        if answer.id == question.id:
            return _answered("udp", watch, answer)
        place, since = self._sent[answer.id]
        late = _answered("udp", since, answer)
        self.queries[place] = late.fact
        unheard = DnsQuery(
            transport="udp", edns=question.edns, elapsed_ms=watch.elapsed_ms, detail=ANSWERED_EARLIER
        )
        return replace(late, noted=unheard)

    async def _exchange(self, stream: TcpStream, question: QueryMessage) -> ResponseMessage:
        """Send a question and read its answer, each with its length in front."""
        try:
            async with asyncio.timeout(self._left(1.0)):
                await stream.write(len(question.wire).to_bytes(2, "big") + question.wire)
                size = int.from_bytes(await _exactly(stream, 2), "big")
                answer = parse_response(await _exactly(stream, size), {question.id: question})
        except OSError as error:
            raise phase_error(error) from None
        if answer is None:
            raise PhaseError(Failure.MALFORMED, "the answer is to another question")
        return answer

    def _left(self, share: float) -> float:
        return max(_LEAST_SECONDS, self._begun + self._seconds * share - monotonic())

    def _note(self, asked: QueryResult) -> QueryResult:
        self.queries.append(asked.noted or asked.fact)
        return asked


class _Strays:
    """Reads datagrams, and remembers those that were no answer of ours."""

    def __init__(self, asked: dict[int, QueryMessage]) -> None:
        self._asked = asked
        self._count = 0

    def read(self, data: bytes) -> ResponseMessage | None:
        answer = parse_response(data, self._asked)
        self._count += answer is None
        return answer

    def explain(self, error: PhaseError) -> PhaseError:
        """Say that something did come, where only silence would be noted."""
        if error.failure is not Failure.TIMEOUT or not self._count:
            return error
        detail = f"only {self._count} datagrams that answer no question of ours"
        return PhaseError(Failure.MALFORMED, detail, silent=True)


async def _exactly(stream: TcpStream, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        more = await stream.read(size - len(data))
        if not more:
            raise PhaseError(Failure.CLOSED, f"closed after {len(data)} of {size} bytes")
        data += more
    return bytes(data)


def _answered(transport: Literal["udp", "tcp"], watch: Stopwatch, answer: ResponseMessage) -> QueryResult:
    truncated = answer.truncated and transport == "udp"
    fact = DnsQuery(
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
    )
    return QueryResult(fact=fact, answer=answer)


def _failed(
    transport: Literal["udp", "tcp"],
    watch: Stopwatch,
    error: PhaseError,
    *,
    edns: bool,
    icmp: Icmp | None = None,
) -> QueryResult:
    fact = DnsQuery(
        transport=transport,
        edns=edns,
        elapsed_ms=watch.elapsed_ms,
        failure=error.failure,
        detail=error.detail,
        errno=error.errno,
        icmp=icmp,
    )
    return QueryResult(fact=fact, silent=error.silent)
