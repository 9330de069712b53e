"""`anchorpose track`: a video in; results, tracks, an overlay video and exports out."""

from __future__ import annotations

import math
import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from anchorpose.app.commands_common import OK, EstimatorOptions, make_folder
from anchorpose.app.commands_finish import FinishArguments, report
from anchorpose.core.errors import InputError

if TYPE_CHECKING:
    from anchorpose.core.camera import Camera
    from anchorpose.io.video.source import VideoSource

INTERRUPTED = 130


@dataclass(frozen=True)
class Track:
    """Finds and follows the people in a video.

    For example `anchorpose track match.mp4 --out results/` writes results/results.jsonl, one line a frame,
    results/overlay.mp4 and, when the last frame is done, the smooth results/tracks.jsonl. Ctrl-C ends it with whole
    files. `anchorpose track finish DIR` makes the tracks and exports anew with other options, `anchorpose track edit
    DIR` corrects who is who; neither needs the video.
    """

    source: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")]
    """Video file, folder of frames, pattern such as 'frames/*.jpg', webcam (0 or /dev/video0), or stream
    (rtsp://..., http://...)."""
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")] = Path("results")
    """Folder for the results."""
    stride: Annotated[int, tyro.conf.arg(metavar="N")] = 1
    """Take every so many frames."""
    start: Annotated[float, tyro.conf.arg(metavar="SECONDS")] = 0.0
    """Begin here."""
    end: Annotated[float | None, tyro.conf.arg(metavar="SECONDS", help_behavior_hint="")] = None
    """End before this time."""
    fps: Annotated[float | None, tyro.conf.arg(metavar="F", help_behavior_hint="")] = None
    """Rate of a folder of frames; 25 unless given."""
    resume: tyro.conf.FlagCreatePairsOff[bool] = False
    """Go on where a run into the same folder was stopped."""
    new_score: Annotated[float | None, tyro.conf.arg(metavar="S", help_behavior_hint="")] = None
    """Follow somebody new from this score on, 0.5 unless given; less sure people only go on with a track that is
    theirs."""
    overlay: bool = True
    """Write the video with the people drawn in."""
    audio: tyro.conf.FlagCreatePairsOff[bool] = False
    """Copy the sound into it."""
    ids: Annotated[tuple[int, ...], tyro.conf.arg(metavar="[N ...]", help_behavior_hint="")] = ()
    """Draw only people with these track numbers; the results always have everyone."""
    panel: tyro.conf.FlagCreatePairsOff[bool] = False
    """Draw the people in 3D beside the picture."""
    finish: FinishArguments = field(default_factory=FinishArguments)
    estimator: EstimatorOptions = field(default_factory=EstimatorOptions)

    def run(self) -> int:
        """Exit code: 0, or 130 if Ctrl-C ended it before its time; a live source may be ended so at any time."""
        from anchorpose.app.finish import OVERLAY, finish, stored
        from anchorpose.app.track import Outputs, track
        from anchorpose.app.tracks_file import RESULTS, TRACKS
        from anchorpose.app.video import NEW_SCORE
        from anchorpose.io.video.source import VideoSource

        self._check()
        last = self.finish.options()
        source = VideoSource(self.source, stride=self.stride, start=self.start, end=self.end, fps=self.fps)
        with source:
            self._check_source(source, last.camera)
            fov = self._fov(last.camera)
            estimator = replace(self.estimator, fov=fov).load()
            make_folder(self.out)
            self._protect_source(source)
            edits = stored(self.out)[1] if self.resume else []
            if not self.resume:  # of another run; what follows is of this one
                (self.out / TRACKS).unlink(missing_ok=True)
                (self.out / OVERLAY).unlink(missing_ok=True)
            audio = os.path.expanduser(self.source) if self.audio else None
            outputs = Outputs(self.out, self.overlay, audio, self.ids, self.panel)
            new_score = NEW_SCORE if self.new_score is None else self.new_score
            whole = track(estimator, source, outputs, self._settings(source, fov, new_score), self.resume, new_score)
        for problem in source.problems():
            print(f"anchorpose: warning: {problem}", file=sys.stderr)
        if not (self.out / RESULTS).stat().st_size:
            raise InputError(f"{self.source} was ended before its first frame was done; nothing was written")
        report(finish(self.out, last, edits), self.out)
        if whole or source.info.live:
            return OK
        print("anchorpose: interrupted; --resume goes on from here", file=sys.stderr)
        return INTERRUPTED

    def _check(self) -> None:
        if self.audio and not self.overlay:
            raise InputError("--audio copies the sound into the overlay video, --no-overlay writes none; choose one")
        if self.new_score is not None and not self.new_score >= 0:
            raise InputError(f"found --new-score {self.new_score}, wanted 0 or more; 0 follows everybody")
        if self.panel and not self.overlay:
            raise InputError("--panel is a part of the overlay video, --no-overlay writes none; choose one")
        if self.finish.camera is not None and self.estimator.fov is not None:
            raise InputError("found both --camera and --fov, wanted one; the camera tells the field of view")

    def _check_source(self, source: VideoSource, camera: Camera | None) -> None:
        from anchorpose.app.finish import check_camera

        if camera is not None:
            check_camera(camera, source.info.width, source.info.height)
        if self.audio and source.info.kind != "file":
            raise InputError(f"{source.info.name} is no video file, whose sound could be copied; leave out --audio")
        if self.resume and source.info.live:
            raise InputError(f"{source.info.name} is live and cannot be read again; leave out --resume")

    def _fov(self, camera: Camera | None) -> float | None:
        """Degrees along the longer side, of the known camera where there is one."""
        if camera is None:
            return self.estimator.fov
        side, focal = max((camera.width, camera.fx), (camera.height, camera.fy))
        return round(math.degrees(2 * math.atan(side / focal / 2)), 6)

    def _protect_source(self, source: VideoSource) -> None:
        from anchorpose.app.finish import OVERLAY

        given = Path(self.source)
        if source.info.kind == "file" and given.exists() and (self.out / OVERLAY).resolve() == given.resolve():
            raise InputError(f"{self.source} would be replaced by the overlay video; choose another folder for --out")

    def _settings(self, source: VideoSource, fov: float | None, new_score: float) -> dict[str, Any]:
        """The header of the results; two runs with the same can be one."""
        from anchorpose.app.estimator import DEFAULT_MODEL

        options = self.estimator
        return {"source": source.info.name, "fps": source.info.fps, "stride": self.stride, "start": self.start,
                "end": self.end, "model": options.model or DEFAULT_MODEL, "max_side": options.max_side,
                "min_score": options.min_score, "new_score": new_score, "fov": fov}  # fmt: skip
