"""Peak memory of `anchorpose track` on a short and a long video, and the processor time of each step."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from anchorpose.app.estimator import Estimator, load
from anchorpose.io.overlay import draw_overlay
from anchorpose.io.video.source import VideoSource
from anchorpose.io.video.writer import VideoWriter
from anchorpose.motion.tracker import Tracker

PHOTOS = Path(__file__).parents[1] / "examples" / "photos"
# The child of a small process: a child's peak memory starts from its parent's size.
PEAK = """
import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([done.returncode, used.ru_maxrss, used.ru_utime + used.ru_stime, done.stderr]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, nargs="*", default=[10, 1000], help="lengths of the videos")
    parser.add_argument("--rate", type=int, default=5, help="frames a second")
    parser.add_argument("--size", type=int, nargs=2, default=[128, 96], metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--model", help="ONNX file; the embedded weights unless given")
    parser.add_argument("--threads", type=int, default=1, help="of the network")
    parser.add_argument("--steps", type=int, default=0, metavar="N", help="also time each step alone on N frames")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        first = None
        for seconds in args.seconds:
            clip = write_clip(Path(folder) / f"{seconds}.mp4", seconds, args.rate, *args.size)
            peak, cpu = measure(clip, Path(folder) / "out", args.threads, args.model)
            first = first or peak
            print(f"{seconds:6d} s, {seconds * args.rate:6d} frames: peak {peak:7.1f} MB ({peak / first:.3f} of the "
                  f"first), {1000 * cpu / (seconds * args.rate):.1f} ms of processor a frame", flush=True)  # fmt: skip
        if args.steps:
            clip = write_clip(Path(folder) / "steps.mp4", -(-args.steps // args.rate), args.rate, *args.size)
            for name, spent in steps(
                load(args.model, threads=args.threads), clip, Path(folder) / "steps-out.mp4"
            ).items():
                print(f"{name:10s} {spent:7.2f} ms of processor a frame")


def write_clip(path: Path, seconds: int, rate: int, width: int, height: int) -> Path:
    """The photographs, moving, over and over."""
    photos = [cv2.resize(cv2.imread(str(file)), (width, height)) for file in sorted(PHOTOS.glob("*.jpg"))]
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for i in range(seconds * rate):
            picture = np.roll(photos[i // 20 % len(photos)], i % 20, axis=1)
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = i, Fraction(1, rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def measure(clip: Path, out: Path, threads: int, model: str | None) -> tuple[float, float]:
    """Megabytes at the peak and seconds of processor of one run of the command."""
    command = [sys.executable, "-m", "anchorpose", "track", str(clip), "--out", str(out), "--threads", str(threads)]
    command += ["--model", model] if model else []
    done = subprocess.run([sys.executable, "-c", PEAK, *command], capture_output=True, text=True, check=True)
    code, peak, cpu, errors = json.loads(done.stdout)
    if code:
        sys.exit(f"anchorpose track failed: {errors}")
    return peak / 1024, cpu


def steps(estimator: Estimator, clip: Path, out: Path) -> dict[str, float]:
    """Milliseconds of processor a frame of each step, one after the other."""
    spent = dict.fromkeys(("decode", "estimate", "track", "draw", "encode"), 0.0)
    tracker, began = Tracker(), time.process_time()
    with VideoSource(clip) as source:
        frames = list(source)
        spent["decode"] = time.process_time() - began
        with VideoWriter(out, source.info.width, source.info.height, source.info.fps) as writer:
            for frame in frames:
                marks = [time.process_time()]
                poses = estimator(frame.image)
                marks.append(time.process_time())
                poses = tracker.update(poses, frame.image, frame.time)
                marks.append(time.process_time())
                drawn = draw_overlay(frame.image, poses, extend=False)
                marks.append(time.process_time())
                writer.write(drawn, frame.time)
                marks.append(time.process_time())
                for name, begin, end in zip(list(spent)[1:], marks, marks[1:], strict=False):
                    spent[name] += end - begin
    return {name: 1000 * seconds / len(frames) for name, seconds in spent.items()}


if __name__ == "__main__":
    main()
