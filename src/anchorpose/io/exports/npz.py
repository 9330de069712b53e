"""NPZ: a clip's arrays as they are, for numpy; no pickle inside."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from anchorpose.core.camera import Camera
from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import Skeleton
from anchorpose.io.exports.clip import Clip, PersonClip
from anchorpose.io.files import atomic_path

SCHEMA = "anchorpose/clip/1"
_ARRAYS = ("joints2d", "joints3d", "translation", "scores", "states", "confidence")


def write_npz(path: Path, clip: Clip) -> None:
    """Write a clip; n people, t frames, J joints.

    Arrays: `ids` (n,), `times` (t,) seconds, `indices` (t,), `joints2d` (n, t, J, 2) pixels, `joints3d` (n, t, J, 3)
    metres relative to the body centre (x right, y down, z forward), `translation` (n, t, 3) metres in the camera frame,
    `scores` and `states` (n, t, J), `confidence` (n, t), `joints` (J,) names, `about` JSON (schema, fps, camera,
    skeleton).

    Raises:
        InputError: the file cannot be written.
    """
    j = len(clip.skeleton)
    shapes = {"joints2d": (j, 2), "joints3d": (j, 3), "translation": (3,), "scores": (j,), "states": (j,),
              "confidence": ()}  # fmt: skip
    arrays: dict[str, Any] = {
        name: np.array([getattr(p, name) for p in clip.people], np.uint8 if name == "states" else np.float32)
        .reshape(len(clip.people), len(clip), *shapes[name])
        for name in _ARRAYS
    }  # fmt: skip
    about = {"schema": SCHEMA, "fps": clip.fps, "camera": clip.camera.to_dict(),
             "skeleton": {"name": clip.skeleton.name, "parents": dict(clip.skeleton.parents)}}  # fmt: skip
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file, ids=np.array([p.id for p in clip.people], np.int64), times=clip.times, indices=clip.indices,
            joints=np.array(clip.skeleton.joints), about=np.array(json.dumps(about)), **arrays,
        )  # fmt: skip


def read_npz(path: Path) -> Clip:
    """Inverse of `write_npz`, exactly.

    Raises:
        InputError: the file is missing, broken or of another kind.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            about = json.loads(str(data["about"]))
            if about["schema"] != SCHEMA:
                raise InputError(f"{path}: found schema {about['schema']!r}, wanted {SCHEMA!r}; write the clip anew")
            joints = tuple(str(name) for name in data["joints"])
            skeleton = Skeleton(about["skeleton"]["name"], joints, about["skeleton"]["parents"])
            values = {name: data[name] for name in _ARRAYS}
            people = tuple(
                PersonClip(int(identity), *(values[name][i] for name in _ARRAYS))
                for i, identity in enumerate(data["ids"])
            )
            return Clip(skeleton, Camera.from_dict(about["camera"]), float(about["fps"]), data["times"],
                        data["indices"], people)  # fmt: skip
    except InputError:
        raise
    except (OSError, EOFError, ValueError, KeyError, TypeError, IndexError, zipfile.BadZipFile) as error:
        line = " ".join(str(error).split())[:100]
        raise InputError(f"cannot read {path} as a clip ({line}); give a .npz that anchorpose wrote") from None
