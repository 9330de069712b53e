"""The bytes of an upload as they come, counted and timed: the whole body, or the file in a multipart form."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from anchorpose.serve.errors import ServiceError

_FORM = b"multipart/form-data"
_MOST_NAME = 120


@dataclass(frozen=True)
class Allowance:
    """What an upload may take: bytes, seconds for all of it, seconds without a byte."""

    size: int
    seconds: float
    idle_seconds: float


class Upload:
    """One uploaded file.

    Attributes:
        name: that the client gave to it, for people to read; never a path. Known when the chunks have come.
        size: bytes of the file so far.
    """

    def __init__(self, request: Request, allowance: Allowance) -> None:
        self._request, self._allowance = request, allowance
        self.name, self.size = "", 0

    async def chunks(self) -> AsyncIterator[bytes]:
        """The file's bytes.

        Raises:
            ServiceError: 413 too large, 408 too slow, 422 no or a broken form, or an empty file, 400 the client left.
        """
        kind, options = parse_options_header(self._request.headers.get("content-type"))
        form = _Form(options.get(b"boundary", b"")) if kind == _FORM else None
        async for chunk in self._body():
            data = chunk if form is None else form.feed(chunk)
            if data:
                self.size += len(data)
                yield data
        if form is not None:
            form.check()
            self.name = clean_name(form.name)
        if not self.size:
            raise ServiceError(422, "empty", "the body is empty, wanted the bytes of a file, or a form with one")

    async def read(self) -> bytes:
        """The whole file; errors as `chunks`."""
        return b"".join([chunk async for chunk in self.chunks()])

    async def _body(self) -> AsyncIterator[bytes]:
        most, total = self._allowance.size, 0
        told = self._request.headers.get("content-length", "")
        if told.isdecimal() and int(told) > most:
            raise _too_large(most)
        stream = self._request.stream()
        end = asyncio.get_running_loop().time() + self._allowance.seconds
        while True:
            now = asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout_at(min(end, now + self._allowance.idle_seconds)):
                    chunk = await anext(stream)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise ServiceError(408, "too_slow", "the body came too slowly; send it faster, or less of it") from None
            except ClientDisconnect:
                raise ServiceError(400, "disconnected", "the client left before the end of the body") from None
            total += len(chunk)
            if total > most:
                raise _too_large(most)
            yield chunk


def clean_name(text: str) -> str:
    """A file name from a stranger as a line of text: the last part of a path, nothing that cannot be printed."""
    last = text.replace("\\", "/").rpartition("/")[2]
    return "".join(c for c in last if c.isprintable())[:_MOST_NAME].strip()


class _Form:
    """Takes the first part that is a file, or is called `file`, out of multipart/form-data; other parts are skipped."""

    def __init__(self, boundary: bytes) -> None:
        if not boundary:
            raise ServiceError(422, "bad_form", "found multipart/form-data without a boundary; let the client library "
                               "write the Content-Type")  # fmt: skip
        self.name = ""
        self._data = bytearray()
        self._field, self._value, self._disposition = bytearray(), bytearray(), b""
        self._taking = self._taken = self._ended = False
        try:
            self._parser = MultipartParser(boundary, {
                "on_part_begin": self._begin, "on_header_field": self._on_field, "on_header_value": self._on_value,
                "on_header_end": self._on_header, "on_headers_finished": self._headers_done,
                "on_part_data": self._on_data, "on_part_end": self._on_part_end, "on_end": self._on_end,
            })  # fmt: skip
        except FormParserError as error:
            raise _bad_form(error) from None

    def feed(self, chunk: bytes) -> bytes:
        """The file's bytes in this chunk of the body."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise _bad_form(error) from None
        data = bytes(self._data)
        self._data.clear()
        return data

    def check(self) -> None:
        """Whether the form was whole and had a file."""
        if not self._ended:
            raise ServiceError(422, "bad_form", "the multipart form is cut short; send it again")
        if not self._taken:
            raise ServiceError(422, "bad_form", "the multipart form holds no file, wanted a part with a filename")

    def _begin(self) -> None:
        self._disposition = b""

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._field.clear()
        self._value.clear()

    def _headers_done(self) -> None:
        _, options = parse_options_header(self._disposition)
        if not self._taken and (b"filename" in options or options.get(b"name") == b"file"):
            self._taking = self._taken = True
            self.name = options.get(b"filename", b"").decode("utf-8", "replace")

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._taking:
            self._data += data[start:end]

    def _on_part_end(self) -> None:
        self._taking = False

    def _on_end(self) -> None:
        self._ended = True


def _too_large(most: int) -> ServiceError:
    return ServiceError(413, "too_large", f"the body has more than {most / 1e6:g} MB; send a smaller file")


def _bad_form(error: Exception) -> ServiceError:
    return ServiceError(422, "bad_form", f"the multipart form is broken: {error}")
