"""permessage-deflate (RFC 7692), which OCPP 2.x demands of a CSMS (OCPP-J 2.0.1 §3.3), at a bounded price.

No context is taken over in either direction, so that a socket keeps nothing between messages, and small windows make what is held
during one small. What comes is inflated by Autobahn up to the limit of a message and no further; what goes is compressed where it
is long enough to gain by it.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

from autobahn.exception import PayloadExceededError
from autobahn.websocket.compress_deflate import PerMessageDeflate, PerMessageDeflateOffer, PerMessageDeflateOfferAccept

COMPRESSED_FROM = 1024
"""Bytes: nearly all answers are shorter."""
_WINDOW_BITS = 12
_MEMORY_LEVEL = 5
_LEVEL = 6
_TRAILER_BYTES = 4


class Deflate(PerMessageDeflate):
    """What two sides have agreed upon, without anything of the last message."""

    _decompressor: Any

    def decompress_message_data(self, data: bytes, max_output_len: int | None = None) -> bytes:
        """Inflate a piece of a message; at the limit, what the window still holds would get lost without a word.

        :raises PayloadExceededError: there is more than that.
        """
        inflated: bytes = super().decompress_message_data(data, max_output_len)
        if max_output_len is not None and len(inflated) >= max_output_len and self._decompressor.decompress(b"", 1):
            raise PayloadExceededError(f"the message inflates to more than {max_output_len} bytes")
        return inflated

    def end_decompress_message(self) -> None:
        """End a message, and let its window go."""
        super().end_decompress_message()
        self._decompressor = None

    def compressed(self, message: bytes) -> bytes:
        """Return the payload of a frame whose bit RSV1 is set."""
        stream = zlib.compressobj(_LEVEL, zlib.DEFLATED, -self.server_max_window_bits, self.mem_level)
        return (stream.compress(message) + stream.flush(zlib.Z_SYNC_FLUSH))[:-_TRAILER_BYTES]


def understood(extensions: Sequence[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Keep the offers of permessage-deflate that Autobahn can read: it would fail the handshake over any other.

    One with parameters that are unknown, wrong or out of our reach (zlib has no window of 8 bits) is declined (RFC 7692 §7).
    """
    return [(name, parameters) for name, parameters in extensions if _is_understood(name, parameters)]


def _is_understood(name: str, parameters: Any) -> bool:
    if name != PerMessageDeflateOffer.EXTENSION_NAME:
        return False
    try:
        PerMessageDeflateOffer.parse(parameters)
    except Exception:  # noqa: BLE001 - it raises no other
        return False
    return True


def accept(offers: Sequence[object]) -> PerMessageDeflateOfferAccept | None:
    """Return how the first offer of permessage-deflate is accepted, None where there is none."""
    offer = next((offer for offer in offers if isinstance(offer, PerMessageDeflateOffer)), None)
    if offer is None:
        return None
    accepted = PerMessageDeflateOfferAccept(
        offer,
        no_context_takeover=True,
        window_bits=min(_WINDOW_BITS, offer.request_max_window_bits or _WINDOW_BITS),
        request_max_window_bits=_WINDOW_BITS if offer.accept_max_window_bits else 0,
        mem_level=_MEMORY_LEVEL,
    )
    # Autobahn asks for it only where the client has offered it; a server may do so always (RFC 7692 §7.1.1.2).
    accepted.request_no_context_takeover = True
    return accepted


def agreed(autobahns: PerMessageDeflate | None) -> Deflate | None:
    """Return ours for the extension that Autobahn has put into use."""
    if autobahns is None:
        return None
    return Deflate(
        True,
        True,
        True,
        autobahns.server_max_window_bits,
        autobahns.client_max_window_bits,
        autobahns.mem_level,
    )
