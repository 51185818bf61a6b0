"""The pictures that the pages show, as files."""

from __future__ import annotations

import struct


def png_size(png: bytes) -> tuple[int, ...]:
    """Width and height: https://www.w3.org/TR/png-3/#11IHDR."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", png[16:24])
