"""`anchorpose view`: results in 3D, as a live scene in the browser or as one page."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from anchorpose.app.commands_common import OK
from anchorpose.core.errors import InputError

if TYPE_CHECKING:
    from anchorpose.io.exports.clip import Clip


@dataclass(frozen=True)
class View:
    """Shows the people of a video or of photographs in 3D over time.

    `anchorpose view results/` serves a scene to turn and play in the browser until Ctrl-C (needs the [view] extra);
    `--html page.html` writes one page that plays without a server instead.
    """

    results: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RESULTS")]
    """Folder of `anchorpose track` (its tracks.jsonl before its results.jsonl) or `anchorpose detect`, or one of the
    files tracks.jsonl, results.jsonl and poses.json."""
    html: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """Write this page and end."""
    port: Annotated[int, tyro.conf.arg(metavar="N")] = 8080
    """Where the scene is served; the next free port where it is taken."""
    play: bool = True
    """Begin to play at once."""

    def run(self) -> int:
        """Exit code; Ctrl-C is the usual end of a live scene."""
        if not 1 <= self.port <= 65535:
            raise InputError(f"found the port {self.port}, wanted 1 to 65535")
        path = find_results(self.results)
        clip = read_clip(path)
        if self.html is not None:
            from anchorpose.app.finish import OVERLAY, write_page

            write_page(self.html, clip, path.parent / OVERLAY, str(path))
            print(f"anchorpose: {len(clip)} frames -> {self.html}", file=sys.stderr)
            return OK
        from anchorpose.io.viewer.live import view

        try:
            with redirect_stdout(io.StringIO()):  # viser's own greeting, which it prints whatever it is told
                opened = view(clip, port=self.port)
            with opened as scene:
                print(f"http://127.0.0.1:{scene.port} (Ctrl-C ends it)", flush=True)
                scene.play(self.play)
                scene.wait()
        except KeyboardInterrupt:
            pass  # the usual end
        return OK


def find_results(path: Path) -> Path:
    """The file to show; InputError where a folder has none."""
    if not path.is_dir():
        return path
    names = ("tracks.jsonl", "results.jsonl", "poses.json")
    for name in names:
        if (path / name).is_file():
            return path / name
    raise InputError(f"{path} holds none of {', '.join(names)}; give the folder of `anchorpose track` or `detect`")


def read_clip(path: Path) -> Clip:
    """The people of a file of results; level where it tells of a floor.

    Photographs follow each other once a second; their people are numbered from the best of each on.

    Raises:
        InputError: it cannot be read, or is of another kind.
    """
    if path.suffix == ".json":
        return _photographs(path)
    from anchorpose.app.finish import level, read_floor
    from anchorpose.app.tracks_file import read_track_file, to_clip

    file = read_track_file(path)
    floor = read_floor(file.header)
    return to_clip(file) if floor is None else level(to_clip(file), floor, ground=False)


def _photographs(path: Path) -> Clip:
    import numpy as np

    from anchorpose.app.tracks_file import seen_by
    from anchorpose.io.exports.clip import Clip
    from anchorpose.io.files import read_json
    from anchorpose.io.formats import from_anchorpose

    found = from_anchorpose(read_json(path, "give a poses.json of `anchorpose detect`"))
    if not found:
        raise InputError(f"{path} holds no picture, wanted one at least")
    camera = found[0][1].camera
    return Clip.from_frames(
        ((number, float(number), replace(seen_by(poses, camera), track_ids=np.arange(1, len(poses) + 1)))
         for number, (_, poses) in enumerate(found)), fps=1.0,
    )  # fmt: skip
