"""Anny bodies (Bregier et al., 'Human Mesh Modeling for Anny Body', ECCV 2026) as plain numpy.

Anny needs torch and minutes to load. A pool of people is therefore taken out of it once and kept in one npz; posing
them is then linear blend skinning in numpy, a few milliseconds a person. Lengths are metres; the rest pose stands in
the library's axes: x to the body's left, y down, z to its back (it faces a camera that looks along z).
"""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import LCR13
from anchorpose.io.files import atomic_path

Floats = NDArray[np.float32]
CHILD_SHARE = 0.15
"""Share of a pool that is 4 to 16 years old; the others are 16 to 85."""
# Anny: x to the body's left, y to its back, z up. The matrix is a rotation, so handedness is kept.
_ANNY_TO_LIBRARY = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], np.float64)
_FACE_MASKS = {
    "brows": ("eyebrows-trans-up",),
    "lips": ("mouth-upperlip-volume-incr", "mouth-lowerlip-volume-incr"),
    "eyes": (),
}


@dataclass(frozen=True)
class BodyPool:
    """n bodies of one topology, at rest.

    v vertices, f triangles, b bones; `joints` are LCR13: COCO's joint centres by Anny's own regressor and the head top.
    """

    vertices: Floats  # (n, v, 3) metres
    heads: Floats  # (n, b, 3) where each bone starts
    ages: Floats  # (n,) years
    genders: Floats  # (n,) 0 male .. 1 female
    faces: NDArray[np.int32]  # (f, 3)
    texture: Floats  # (f, 3, 2) texture coordinates of the corners, 0..1
    canonical: Floats  # (v, 3) the average body, to know where on the body a vertex is
    masks: Floats  # (v, 3) brows, lips, eyeballs, 0..1
    bone_weights: Floats  # (v, 9)
    bone_indices: NDArray[np.int32]  # (v, 9)
    regressor: Floats  # (13, v) sums to 1 over v
    bones: NDArray[np.str_]  # (b,) names
    parents: NDArray[np.int32]  # (b,) -1 for the root; a parent comes before its children

    def __len__(self) -> int:
        return len(self.vertices)

    @classmethod
    def build(cls, count: int, seed: int, device: str = "cpu") -> BodyPool:
        """Draw `count` people from Anny's own distribution of shapes (needs the [synthesis] extra; minutes at first).

        Shapes are drawn on the CPU, the same for every device; the bodies differ by rounding.

        Args:
            count, seed: how many people, and of what chance.
            device: where torch computes the bodies, "cpu" or "cuda:0" ...

        Raises:
            InputError: Anny is not installed, or torch has no such device.
        """
        return _build(count, seed, device)

    @classmethod
    def load_or_build(cls, count: int, seed: int, folder: Path | None = None, device: str = "cpu") -> BodyPool:
        """The pool of this count and seed from `folder`, built and kept there when it is missing.

        Args:
            count, seed, device: as in `build`.
            folder: None takes anchorpose's folder in the user's cache ($XDG_CACHE_HOME or ~/.cache).
        """
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "anchorpose"
        folder = cache if folder is None else folder
        path = folder / f"bodies-{count}-{seed}.npz"
        if path.is_file():
            return cls.load(path)
        pool = cls.build(count, seed, device)
        folder.mkdir(parents=True, exist_ok=True)
        pool.save(path)
        return pool

    def save(self, path: Path) -> None:
        """Write one npz."""
        with atomic_path(path) as temporary:
            np.savez(temporary, **{f.name: getattr(self, f.name) for f in fields(self)})

    @classmethod
    def load(cls, path: Path) -> BodyPool:
        """Inverse of `save`.

        Raises:
            InputError: the file is missing, damaged or of another kind.
        """
        try:
            with np.load(path) as arrays:
                return cls(**{f.name: arrays[f.name] for f in fields(cls)})
        except FileNotFoundError:
            raise InputError(f"{path} does not exist, wanted a pool of bodies; build it first") from None
        except (KeyError, ValueError, EOFError, zipfile.BadZipFile, OSError) as error:
            raise InputError(f"{path} is no pool of bodies ({error}); delete it, it is built anew") from None

    def bone(self, name: str) -> int:
        """Position of a bone by its name; KeyError if there is none."""
        found = np.flatnonzero(self.bones == name)
        if not len(found):
            raise KeyError(f"no bone {name!r}; there are {', '.join(self.bones)}")
        return int(found[0])

    @cached_property
    def skin(self) -> sparse.csr_array:
        """(v, b) bone weights, sparse."""
        rows = np.repeat(np.arange(len(self.bone_weights)), self.bone_weights.shape[1])
        shape = (len(self.bone_weights), len(self.bones))
        entries = (self.bone_weights.ravel(), (rows, self.bone_indices.ravel()))
        return sparse.coo_array(entries, shape=shape).tocsr()

    @cached_property
    def joint_weights(self) -> sparse.csr_array:
        """(13, v) `regressor`, sparse: most entries are 0."""
        return sparse.csr_array(self.regressor)

    def rest_joints(self, body: int) -> Floats:
        """(13, 3) LCR13 joints of one body at rest, metres."""
        return np.asarray(self.joint_weights @ self.vertices[body], np.float32)


def pose_bones(heads: Floats, parents: NDArray[np.int32], rotations: Floats) -> Floats:
    """(b, 3, 4) rigid motion of each bone from rest: `[R | t]` moves a rest point p to `R p + t`.

    Args:
        heads: (b, 3) where each bone starts at rest.
        parents: (b,) -1 for the root, which stays in its place.
        rotations: (b, 3, 3) rotation of each bone from rest in the world's axes (not relative to its parent).
    """
    placed = heads.copy()
    for bone, parent in enumerate(parents):
        if parent >= 0:
            placed[bone] = placed[parent] + rotations[parent] @ (heads[bone] - heads[parent])
    moved = placed - np.einsum("bij,bj->bi", rotations, heads)
    return np.concatenate([rotations, moved[..., None]], axis=2).astype(np.float32)


def skin_vertices(vertices: Floats, skin: sparse.csr_array, motions: Floats) -> Floats:
    """Linear blend skinning: (v, 3) rest vertices, (v, b) weights, (b, 3, 4) motions -> (v, 3)."""
    blended = (skin @ motions.reshape(len(motions), 12)).reshape(-1, 3, 4)
    return np.asarray(np.einsum("vij,vj->vi", blended[..., :3], vertices) + blended[..., 3], np.float32)


def _build(count: int, seed: int, device: str) -> BodyPool:
    try:
        import anny
        import torch
    except ImportError:
        raise InputError("found no Anny, wanted the body model; pip install 'anchorpose[synthesis]'") from None
    model = anny.Anny(local_changes="default", skinning_method="lbs").to(dtype=torch.float32)
    years, phenotypes = _people(model, count, seed)
    try:
        model = model.to(device=device)
    except (RuntimeError, AssertionError) as error:  # what torch raises depends on how it was built
        reason = str(error).splitlines()[0]
        raise InputError(f"found no torch device {device!r} ({reason}), wanted one for the bodies; give cpu") from None
    phenotypes = {name: values.to(device) for name, values in phenotypes.items()}
    stand = torch.eye(4, device=device)[None, None].repeat(1, model.bone_count, 1, 1)
    rest = [model(pose_parameters=stand, phenotype_kwargs={k: v[i : i + 1] for k, v in phenotypes.items()})
            for i in range(count)]  # fmt: skip
    middle = torch.full((1,), 0.5, device=device)
    average = model(pose_parameters=stand, phenotype_kwargs=dict.fromkeys(model.phenotype_labels, middle))
    canonical = _to_library(average["rest_vertices"])[0]
    model = model.to(device="cpu")  # what is left is read, not computed
    phenotypes = {name: values.cpu() for name, values in phenotypes.items()}
    corners = model.face_texture_coordinate_indices
    return BodyPool(
        np.concatenate([_to_library(r["rest_vertices"]) for r in rest]),
        np.concatenate([_to_library(r["rest_bone_heads"]) for r in rest]),
        years.numpy().astype(np.float32), phenotypes["gender"].numpy().astype(np.float32),
        model.faces.numpy().astype(np.int32), model.texture_coordinates[corners].numpy().astype(np.float32),
        canonical, _masks(model), model.vertex_bone_weights.numpy().astype(np.float32),
        model.vertex_bone_indices.numpy().astype(np.int32), _regressor(model, canonical),
        np.array(model.bone_labels), np.array(model.bone_parents, np.int32),
    )  # fmt: skip


def _people(model: Any, count: int, seed: int) -> tuple[Any, dict[str, Any]]:
    """Ages in years (count,) and Anny's phenotypes; children and adults in fixed shares, then shuffled."""
    import torch
    from anny.shape_distribution import SimpleShapeDistribution

    children = round(count * CHILD_SHARE)
    gender = torch.distributions.Beta(torch.tensor(0.4), torch.tensor(0.4))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        drawn = []
        for number, low, high in ((children, 4.0, 16.0), (count - children, 16.0, 85.0)):
            if not number:
                continue
            age = torch.distributions.Uniform(torch.tensor(low), torch.tensor(high))
            drawn.append(SimpleShapeDistribution(model, age, gender).sample(number))
        order = torch.randperm(count)
    years = torch.cat([years for years, _ in drawn])[order]
    return years, {k: torch.cat([p[k] for _, p in drawn])[order] for k in model.phenotype_labels}


def _to_library(points: Any) -> Floats:
    return np.asarray(points.cpu().numpy() @ _ANNY_TO_LIBRARY.T, np.float32)


def _regressor(model: Any, canonical: Floats) -> Floats:
    """(13, v): Anny's regressor for the joints that COCO has; the head top is the mean of the highest vertices."""
    import anny

    found = anny.KeypointsRegressor.coco(model)
    weights = np.zeros((len(LCR13), len(canonical)), np.float32)
    for i, joint in enumerate(LCR13.joints):
        if joint == "head_top":
            highest = np.argsort(canonical[:, 1])[:12]
            weights[i, highest] = 1 / len(highest)
        else:
            weights[i] = found.regression_weights[found.labels.index(joint)].numpy()
    return weights


def _masks(model: Any) -> Floats:
    """(v, 3) brows, lips, eyeballs: where Anny's local shape changes move vertices tells where a feature is."""
    labels = list(model.blendshape_labels)
    masks = []
    for changes in _FACE_MASKS.values():
        moved = np.zeros(len(model.template_vertices), np.float32)
        for change in changes:
            shift = np.linalg.norm(model.blendshapes[labels.index(f"local_change:{change}")].numpy(), axis=1)
            moved = np.maximum(moved, shift / shift.max())
        masks.append(moved)
    eyes = [model.bone_labels.index(f"eye.{side}") for side in "LR"]
    on_eye = np.isin(model.vertex_bone_indices.numpy(), eyes) * model.vertex_bone_weights.numpy()
    masks[-1] = on_eye.sum(1)
    return np.stack(masks, axis=1).astype(np.float32)
