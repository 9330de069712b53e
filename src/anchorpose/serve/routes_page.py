"""The page at `/`, its files, and what it has to know of the package."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from starlette.responses import Response
from starlette.types import Scope

from anchorpose.core.skeleton import LCR13
from anchorpose.io.exports.export import FORMATS, Format
from anchorpose.io.figure import PEOPLE, SIDES, css, links

PAGE = Path(__file__).parent / "page"
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob:; "
          "media-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")  # fmt: skip
"""No script, style or connection but the service's own; blobs are the pictures that people drop."""
_SHARED = ("anchorpose.io.viewer", "shared")
_NEEDED = {"parquet": "pyarrow", "c3d": "ezc3d"}
router = APIRouter(include_in_schema=False)


class Figure(BaseModel):
    """How bodies are drawn, as `io.figure` has it, and which exports this service can write.

    Links are joints at the start, joints at the end, and the side; each end is the mean of its joints.
    """

    skeleton: str
    links: list[tuple[tuple[int, ...], tuple[int, ...], str]]
    sides: dict[str, str]
    people: list[str]
    exports: list[Format]


class PageFiles(StaticFiles):
    """The page's own files and the modules that it shares with the page of a clip, checked anew at each visit."""

    def __init__(self) -> None:
        super().__init__(directory=PAGE, packages=[_SHARED])

    async def get_response(self, path: str, scope: Scope) -> Response:
        """A file; modules of two versions must never meet in a browser's cache."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


@router.get("/")
async def page() -> FileResponse:
    """The page for people."""
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache", "Referrer-Policy": "no-referrer"}
    return FileResponse(PAGE / "index.html", headers=headers)


@router.get("/page/figure.json")
async def figure() -> Figure:
    """What the page draws with."""
    drawn: list[Any] = [(link.start, link.end, link.side) for link in links(LCR13)]
    exports: list[Format] = [name for name in FORMATS if name != "html" and find_spec(_NEEDED.get(name, "numpy"))]
    return Figure(skeleton=LCR13.name, links=drawn, sides={side: css(colour) for side, colour in SIDES.items()},
                  people=[css(colour) for colour in PEOPLE], exports=exports)  # fmt: skip
