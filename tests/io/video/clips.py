"""Real video files for the tests, written with PyAV from the photographs in examples/photos, always the same."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

PHOTOS = Path(__file__).parents[3] / "examples" / "photos"
TIME_BASE = Fraction(1, 12800)
"""As ffmpeg's MP4 files have it: no whole number of 1/90000 s."""
RATE = 25
Image = NDArray[np.uint8]


def moving(count: int, width: int = 128, height: int = 96, photos: Sequence[int] = (1, 3)) -> list[Image]:
    """`count` frames: a window that wanders over each photograph in turn and comes nearer."""
    files = sorted(PHOTOS.glob("*.jpg"))
    frames, each = [], -(-count // len(photos))
    for number in photos:
        picture = cv2.imread(str(files[number]))
        assert picture is not None
        for i in range(each):
            frames.append(_window(picture, i / each, width, height))
    return frames[:count]


def _window(picture: Image, progress: float, width: int, height: int) -> Image:
    high, wide = picture.shape[:2]
    scale = min(wide / width, high / height) * (1 - 0.25 * progress)
    x, y = (wide - width * scale) * (0.5 + 0.3 * progress), (high - height * scale) * 0.2
    matrix = np.array([[scale, 0, x], [0, scale, y]])
    flags = cv2.INTER_AREA | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(picture, matrix, (width, height), flags=flags), np.uint8)


def numbered(count: int, width: int = 64, height: int = 48) -> list[Image]:
    """Frames that carry their own number in ten large black or white fields, which `number` reads after any codec."""
    frames = []
    for n in range(count):
        frame = np.full((height, width, 3), 128, np.uint8)
        for bit in range(10):
            x = bit % 5 * width // 5
            y = bit // 5 * height // 2
            frame[y : y + height // 2, x : x + width // 5] = 235 if n >> bit & 1 else 20
        frames.append(frame)
    return frames


def number(frame: Image) -> int:
    """The number that `numbered` wrote, or -1 where the fields are not clear."""
    height, width = frame.shape[:2]
    found = 0
    for bit in range(10):
        x, y = bit % 5 * width // 5, bit // 5 * height // 2
        middle = frame[y + height // 8 : y + 3 * height // 8, x + width // 20 : x + width * 3 // 20].mean()
        if 80 < middle < 170:
            return -1
        found |= int(middle > 128) << bit
    return found


def even_times(count: int, rate: int = RATE) -> list[Fraction]:
    """Constant frame rate."""
    return [Fraction(i, rate) for i in range(count)]


def uneven_times(count: int, seed: int = 0) -> list[Fraction]:
    """Variable frame rate: 8 to 120 ms between frames, in whole ticks."""
    steps = np.random.default_rng(seed).integers(100, 1536, count - 1)
    return [Fraction(int(t), TIME_BASE.denominator) for t in np.concatenate([[0], np.cumsum(steps)])]


def write_clip(
    path: Path, frames: Sequence[Image], times: Sequence[Fraction] | None = None, *, rotation: int = 0,
    mirrored: bool = False, audio: str | None = None, gop: int = 12, b_frames: int = 2, codec: str = "libx264",
    pixels: tuple[int, int] | None = None, crf: int = 12, begin: Fraction = Fraction(0),
) -> Path:  # fmt: skip
    """Writes a clip.

    Args:
        path: its suffix is the container (mp4, mkv, ts, avi).
        frames: (h, w, 3) uint8 BGR of even size.
        times: seconds of each; 25 a second unless given.
        rotation: metadata that tells players to turn the picture so many degrees anticlockwise.
        mirrored: metadata that tells players to mirror it left to right.
        audio: codec of a sine of 440 Hz that lasts as long as the frames.
        gop, b_frames, crf: of the encoder.
        pixels: shape of a pixel, such as (4, 3).
        begin: seconds at which the streams begin, which players take for 0.
    """
    times = even_times(len(frames)) if times is None else times
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=RATE)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = TIME_BASE
        stream.options = {"g": str(gop), "bf": str(b_frames), "crf": str(crf), "threads": "1"}
        if pixels is not None:
            stream.codec_context.sample_aspect_ratio = Fraction(*pixels)
        sound = out.add_stream(audio, rate=48000, layout="mono") if audio else None
        if rotation or mirrored:
            stream.set_display_rotation(rotation, hflip=mirrored)
        for frame, time in zip(frames, times, strict=True):
            image = av.VideoFrame.from_ndarray(frame, format="bgr24")
            image.time_base, image.pts = TIME_BASE, round((time + begin) / TIME_BASE)
            out.mux(stream.encode(image))
        out.mux(stream.encode())
        if sound is not None:
            _sine(out, sound, float(times[-1]) + 1 / RATE, begin)
    return path


def _sine(out: av.container.OutputContainer, sound: av.AudioStream, seconds: float, begin: Fraction) -> None:
    rate = 48000
    wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)
    first = round(begin * rate)
    for start in range(0, len(wave), 1024):
        frame = av.AudioFrame.from_ndarray(wave[None, start : start + 1024].astype(np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, first + start, Fraction(1, rate)
        out.mux(sound.encode(frame))
    out.mux(sound.encode())


def truncated(clip: Path, share: float = 0.5) -> Path:
    """A copy that ends early, beside the clip."""
    data = clip.read_bytes()
    copy = clip.with_stem(f"{clip.stem}-cut")
    copy.write_bytes(data[: int(len(data) * share)])
    return copy


def damaged(clip: Path, first: float = 0.3, last: float = 0.6, spots: int = 12, seed: int = 0) -> Path:
    """A copy with bytes between two shares of the file's length written over, beside the clip."""
    data = bytearray(clip.read_bytes())
    rng = np.random.default_rng(seed)
    for at in rng.integers(int(len(data) * first), int(len(data) * last), spots):
        data[at : at + 24] = rng.bytes(min(24, len(data) - at))
    copy = clip.with_stem(f"{clip.stem}-damaged")
    copy.write_bytes(bytes(data))
    return copy
