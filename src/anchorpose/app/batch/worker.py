"""`ShardWorker`: one shard from its inputs to its Parquet files, in one process; knows nothing of Ray."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path, PurePosixPath

import numpy as np

from anchorpose.app.batch.attempts import Attempts
from anchorpose.app.batch.shards import Input, Shard
from anchorpose.app.batch.storage import Folder
from anchorpose.app.batch.tables import FAILED, INPUTS, ShardTables
from anchorpose.app.estimator import Estimator
from anchorpose.app.finish import finish
from anchorpose.app.track import Outputs, track
from anchorpose.app.tracks_file import TRACKS, read_track_file, to_clip
from anchorpose.core.errors import InputError
from anchorpose.core.poses import Poses
from anchorpose.io.exports.clip import Clip
from anchorpose.io.images import MAX_BYTES, read_image
from anchorpose.io.video.background import Background
from anchorpose.io.video.source import VideoSource

_AHEAD = 2
"""Photographs that are fetched while one is at work."""
_FRAMES = 64
"""Frames of a video whose people are gathered before they become rows."""
_NAMED = 3
"""Failures that a report names."""
Fetched = bytes | Exception | None


@dataclass(frozen=True)
class Work:
    """What is done with each input.

    Args:
        source, output: the folders. track: follow the people in videos instead of finding them frame by frame.
        stride: take every so many frames of a video. retry: do shards with failed inputs again.
    """

    source: Folder
    output: Folder
    track: bool = False
    stride: int = 1
    retry: bool = False


@dataclass(frozen=True)
class Report:
    """What became of a shard: inputs that were done and that failed, people, and the first failures, a line each."""

    key: str
    done: int = 0
    failed: int = 0
    people: int = 0
    failures: tuple[str, ...] = ()


class ShardWorker:
    """Does shards, one after the other. A shard that is done twice ends as the same files.

    Args:
        work: what to do.
        estimator: finds the people.
    """

    def __init__(self, work: Work, estimator: Estimator) -> None:
        self._work, self._estimator = work, estimator

    def run(self, shard: Shard) -> Report:
        """Does a shard, unless another worker has in the meantime.

        Raises:
            InputError: the output cannot be written. What is wrong with an input never raises.
        """
        output, key = self._work.output, shard.key
        if output.exists(f"{INPUTS}/{key}.parquet"):
            if not (self._work.retry and output.exists(f"{FAILED}/{key}.parquet")):
                return Report(key)
            output.remove(f"{INPUTS}/{key}.parquet")  # so that a kill from here on leaves a shard that is not done
        attempts = Attempts.begin(output, key)
        with tempfile.TemporaryDirectory(prefix="anchorpose-") as scratch:
            tables = ShardTables(Path(scratch))
            for number, (source, data) in enumerate(self._fetched(shard, attempts)):
                self._do(source, data, attempts.refused(number), tables, attempts.count, Path(scratch))
            tables.commit(output, key)
        attempts.end()
        failed = len(tables.failed)
        lines = tuple(f"{row['input']}: {row['reason']}" for row in tables.failed[:_NAMED])
        return Report(key, len(shard.inputs) - failed, failed, tables.people, lines)

    def _fetched(self, shard: Shard, attempts: Attempts) -> Iterator[tuple[Input, Fetched]]:
        """Inputs with their bytes (photographs that are tried), or why these could not be had."""
        if attempts.careful:  # one at a time, so that a death is put down to the right one
            for number, source in enumerate(shard.inputs):
                attempts.at(number)
                yield source, None if attempts.refused(number) else self._bytes(source)
            return
        ahead = Background(((source, self._bytes(source)) for source in shard.inputs), _AHEAD)
        try:
            yield from ahead
        finally:
            ahead.close()

    def _bytes(self, source: Input) -> Fetched:
        if source.video:
            return None
        if source.bytes > MAX_BYTES:
            return InputError(f"it has {source.bytes / 1e9:.1f} GB, wanted a picture of at most 1 GB")
        try:
            return bytes(self._work.source.fs.cat_file(source.path))
        except Exception as error:  # file systems and buckets have errors of their own
            return error

    def _do(self, source: Input, data: Fetched, refused: str | None, tables: ShardTables, attempt: int,
            scratch: Path) -> None:  # fmt: skip
        if refused is not None:
            tables.fail(source, refused, attempt)
            return
        try:
            if isinstance(data, Exception):
                raise data
            if data is None:
                self._video(source, tables, scratch)
            else:
                self._image(source, data, tables)
        except InputError as error:
            tables.fail(source, str(error).removeprefix("the given bytes: "), attempt)
        except Exception as error:  # whatever it is, it is one input's, and the others are still done
            tables.fail(source, f"{type(error).__name__}: {getattr(error, 'strerror', None) or error}", attempt)

    def _image(self, source: Input, data: bytes, tables: ShardTables) -> None:
        poses = self._estimator(read_image(data))
        clip = Clip.from_frames([(0, 0.0, _numbered(poses))])
        tables.add(source.name, replace(clip, times=np.full(1, np.nan)))  # a photograph has no time
        tables.done(source, (poses.camera.width, poses.camera.height), 1, len(poses))

    def _video(self, source: Input, tables: ShardTables, scratch: Path) -> None:
        path = Path(source.path)
        if not self._work.source.local:
            path = scratch / f"video{PurePosixPath(source.path).suffix}"
            self._work.source.fs.get_file(source.path, str(path))
        try:
            with VideoSource(path, stride=self._work.stride) as video:
                size = video.info.width, video.info.height
                do = self._tracked if self._work.track else self._frame_by_frame
                frames, people = do(source, video, tables, scratch)
        except BaseException:
            tables.drop_joints()
            raise
        tables.done(source, size, frames, people)

    def _frame_by_frame(self, source: Input, video: VideoSource, tables: ShardTables, scratch: Path) -> tuple[int, int]:
        """Frames, and people in the fullest one."""
        found = ((f.index, f.time, _numbered(self._estimator(f.image))) for f in video)
        frames = people = 0
        while block := list(islice(found, _FRAMES)):
            tables.add(source.name, Clip.from_frames(block))
            frames += len(block)
            people = max(people, *(len(poses) for _, _, poses in block))
        return frames, people

    def _tracked(self, source: Input, video: VideoSource, tables: ShardTables, scratch: Path) -> tuple[int, int]:
        """Frames and people of the finished tracks, as `anchorpose track` makes them without further options."""
        out = scratch / "track"
        out.mkdir()
        track(self._estimator, video, Outputs(out, overlay=False), {"source": source.name, "fps": video.info.fps})
        finish(out)
        clip = to_clip(read_track_file(out / TRACKS))
        tables.add(source.name, clip)
        return len(clip), len(clip.people)


def _numbered(poses: Poses) -> Poses:
    """People numbered from 0, best first."""
    return replace(poses, track_ids=np.arange(len(poses)))
