"""Uploads however their bytes arrive: whole, in pieces, as a form, broken, too large, too slow."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import pairwise

import pytest
from fastapi import Request
from hypothesis import given, settings
from hypothesis import strategies as st

from anchorpose.serve.errors import ServiceError
from anchorpose.serve.uploads import Allowance, Upload, clean_name

AMPLE = Allowance(10_000, 10, 10)
FORM = "multipart/form-data; boundary=XyZ"


def receive(chunks: Iterable[bytes], content_type: str = "", allowance: Allowance = AMPLE, wait: float = 0) -> Upload:
    """An upload after all of it has been read into `data`."""
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.request", "body": b"", "more_body": False})
    waiting = iter(messages)

    async def next_message() -> dict:
        await asyncio.sleep(wait)
        return next(waiting)

    async def main() -> Upload:
        scope = {"type": "http", "method": "POST", "headers": [(b"content-type", content_type.encode())]}
        upload = Upload(Request(scope, next_message), allowance)
        upload.data = await upload.read()  # type: ignore[attr-defined]
        return upload

    return asyncio.run(main())


def form(*parts: tuple[str, bytes]) -> bytes:
    body = b"".join(b"--XyZ\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" + data + b"\r\n"
                    for head, data in parts)  # fmt: skip
    return body + b"--XyZ--\r\n"


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(at)]


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=1, max_size=300), st.lists(st.integers(0, 1000), max_size=8))
def test_the_same_bytes_however_they_are_cut(data: bytes, cuts: list[int]) -> None:
    assert receive(pieces(data, cuts)).data == data  # type: ignore[attr-defined]
    data = data.replace(b"--XyZ", b"")  # a client chooses a boundary that is not in the file
    if data:
        body = form(('name="note"', b"hello"), ('name="x"; filename="a b.png"', data), ('name="file"', b"later"))
        upload = receive(pieces(body, cuts), FORM)
        assert (upload.data, upload.name, upload.size) == (data, "a b.png", len(data))  # type: ignore[attr-defined]


@pytest.mark.parametrize(("body", "content_type", "code"), [
    (b"", "image/png", "empty"), (form(('name="file"', b"")), FORM, "empty"),
    (form(('name="other"', b"x")), FORM, "bad_form"), (b"x", "multipart/form-data", "bad_form"),
    (form(('name="file"', b"x"))[:-12], FORM, "bad_form"), (b"no form at all", FORM, "bad_form"),
    (b"x", "multipart/form-data; boundary=" + "b" * 300, "bad_form"), (b"x" * 10_001, "", "too_large"),
    (b"--XyZ\r\n" + b"a: b\r\n" * 500 + b"\r\n", FORM, "bad_form"),
])  # fmt: skip
def test_what_is_refused(body: bytes, content_type: str, code: str) -> None:
    for cuts in ([], [1, 7, 20]):
        with pytest.raises(ServiceError) as refused:
            receive(pieces(body, cuts), content_type)
        assert refused.value.code == code


def test_slow_uploads_are_ended() -> None:
    with pytest.raises(ServiceError, match="too slowly"):
        receive([b"a", b"b"], allowance=Allowance(10, 10, 0.01), wait=0.2)
    with pytest.raises(ServiceError, match="too slowly"):
        receive([b"a"] * 9, allowance=Allowance(10, 0.1, 10), wait=0.03)


def test_names_are_no_paths() -> None:
    assert clean_name("../../etc/passwd") == "passwd"
    assert clean_name("C:\\videos\\walk.mp4") == "walk.mp4"
    assert clean_name("a\x00b\n\x1b[31m.mp4") == "ab[31m.mp4"
    assert len(clean_name("x" * 5000)) <= 120
