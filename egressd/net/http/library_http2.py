"""HTTP/2 by hyper-h2: whatever a server may send, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    DataReceived,
    Event,
    InformationalResponseReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import DenialOfServiceError, InvalidBodyLengthError, ProtocolError
from h2.settings import SettingCodes, Settings

from egressd.model.observation import Failure
from egressd.net.http.plain_http2 import (
    OWN_SETTINGS,
    STREAM,
    WINDOW,
    BodyPart,
    EndPart,
    HeadPart,
    InterimPart,
    ResetPart,
    ResponsePart,
    header_fields,
)
from egressd.net.http.request import Request
from egressd.net.sockets.errors import PhaseError


class LibraryConnection:
    """A connection whose first frames may have been read already, and answered."""

    def __init__(self, request: Request, frames: Iterable[bytes]) -> None:
        self._h2 = H2Connection(
            H2Configuration(
                client_side=True,
                header_encoding=None,
                validate_inbound_headers=False,
                normalize_inbound_headers=False,
                validate_outbound_headers=False,  # they are written here, in the form that HTTP/2 wants
                normalize_outbound_headers=False,
            )
        )
        self._h2.local_settings = Settings(
            client=True, initial_values={SettingCodes(code): value for code, value in OWN_SETTINGS.items()}
        )
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(WINDOW)
        self._h2.send_headers(STREAM, header_fields(request), end_stream=True)
        for data in frames:
            self.receive(data)
        self._h2.data_to_send()  # it was sent when those frames came

    def receive(self, data: bytes) -> tuple[ResponsePart, ...]:
        """Return what a frame says.

        Raises:
            PhaseError: it breaks the rules of HTTP/2.
        """
        try:
            return tuple(self._parts(self._h2.receive_data(data)))
        except DenialOfServiceError as error:
            raise PhaseError(Failure.TOO_LARGE, str(error)) from None
        except InvalidBodyLengthError as error:
            raise PhaseError(Failure.TRUNCATED, str(error)) from None
        except ProtocolError as error:
            raise PhaseError(Failure.HTTP2_ERROR, f"{type(error).__name__}: {error}") from None

    def data_to_send(self) -> bytes:
        """Return what is to be sent now."""
        return self._h2.data_to_send()

    def _parts(self, events: Iterable[Event]) -> Iterator[ResponsePart]:
        for event in events:
            match event:
                case InformationalResponseReceived():
                    yield InterimPart()
                case ResponseReceived(stream_id=1):
                    headers = ((_bytes(name), _bytes(value)) for name, value in event.headers or ())
                    yield HeadPart(headers=tuple(headers))
                case DataReceived(stream_id=1):
                    if event.flow_controlled_length:
                        self._h2.acknowledge_received_data(event.flow_controlled_length, STREAM)
                    yield BodyPart(data=event.data or b"")
                case StreamEnded(stream_id=1):
                    yield EndPart()
                case StreamReset(stream_id=1):
                    yield ResetPart(code=event.error_code or 0)
                case _:
                    pass  # settings, pings, windows: h2 answers them itself


def _bytes(text: bytes | str) -> bytes:
    return text.encode("latin-1") if isinstance(text, str) else text
