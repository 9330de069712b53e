"""The training of `lcrnet.lift`: people whose 3D is known, as the close look finds them, and many more whom nobody saw.

Half of what it is shown are the former, the other half are bodies of known 3D seen from a random side, as wrong as the
close look was about somebody else. The first teach which errors go together, the second what a pose can be; on a few
thousand of the first alone it learns them by heart.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from anchorpose.core.errors import InputError
from anchorpose.lcrnet.model import LCRNet
from anchorpose.lcrnet.second_pass import MARGIN
from anchorpose.synthesis.views import ViewOptions, mirror_poses, see, view_angles
from anchorpose.training.data import Data, whole_poses
from anchorpose.training.fit import card_of
from anchorpose.training.loop import LoopOptions, Task, run
from anchorpose.training.presets import Preset
from anchorpose.training.release import Start
from anchorpose.training.second.stored import StoredPeople
from anchorpose.training.second.taught import SURE_PERSON, Taught
from anchorpose.training.second.turned import Turned, Turning

_NEAREST = 0.5
"""Metres; no joint of a body seen from elsewhere is closer to the camera."""


@dataclass(frozen=True)
class LiftStage:
    """How the lift is trained.

    Args:
        batch_size: poses a step. seen: share of them that the close look saw. views: of the others, one camera each.
        distance: of those cameras, metres. zoom: standard deviation of the logarithm of the region's side.
        turning: of those that were seen (the lift hardly sees scale and shift). The others are the optimiser's.
    """

    batch_size: int = 512
    seen: float = 0.5
    views: ViewOptions = field(default_factory=lambda: ViewOptions(1, (-0.3, 0.3), 0.4, 0.1))
    distance: tuple[float, float] = (1.9, 7.5)
    zoom: float = 0.1
    turning: Turning = field(default_factory=Turning)
    steps: int = 3000
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warmup_steps: int = 100
    ema: float = 0.998
    clip: float = 1.0


class Looks(NamedTuple):
    """s people as a close look sees them, and as they are; 2D in coordinates of the region, 3D in metres."""

    joints2d: Tensor  # (s, 13, 2)
    log_error: Tensor  # (s, 13)
    visibility: Tensor  # (s, 13) logit
    joints3d: Tensor  # (s, 13, 3)
    true2d: Tensor  # (s, 13, 2), NaN where unlabelled
    true3d: Tensor  # (s, 13, 3)

    def rows(self, chosen: Tensor) -> Looks:
        """Some of them."""
        return Looks(*(column[chosen] for column in self))


def has_lift(start: Start) -> bool:
    """Whether released weights hold a lift."""
    return any(name.startswith("lift.") for name in start.released)


def known_people(people: StoredPeople, said: Taught) -> Looks:
    """Those of whom the close look is sure, and whose 3D is known whole.

    Args:
        people: cut out. said: what the close look says of them, of `taught.ask`.

    Raises:
        InputError: there are none.
    """
    regions, target = people.described()
    corner, side = regions[:, None, :2], (regions[:, 2:] - regions[:, :2])[:, None]
    known = target.true3d.isfinite().flatten(1).all(1) & (said.quality >= SURE_PERSON)
    if not known.any():
        raise InputError(f"found nobody among {len(known)} looks at people whose 13 joints are known in 3D; give "
                         "pictures of anchorpose synthesize render, or others with `joints3d`")  # fmt: skip
    return Looks((said.joints2d - corner) / side, said.errors.log(), said.visibility.logit(1e-4), said.joints3d,
                 (target.true2d - corner) / side, target.true3d).rows(known)  # fmt: skip


def elsewhere(bodies: Tensor, looks: Looks, stage: LiftStage, rng: np.random.Generator) -> Looks:
    """Bodies seen from a random side, as wrong as the close look was about others.

    Args:
        bodies: (s, 13, 3) metres, as seen straight on, relative to the body centre.
        looks: s people whose errors they get. stage: where the cameras stand. rng: of them.
    """
    count = len(bodies)
    poses = bodies.numpy()
    poses = np.where(rng.random((count, 1, 1)) < 0.5, mirror_poses(poses), poses)
    true3d = torch.from_numpy(see(poses, view_angles(count, stage.views, rng)[:, 0]))
    distance = torch.from_numpy(rng.uniform(*stage.distance, (count, 1, 1)).astype(np.float32))
    picture = true3d[..., :2] / (true3d[..., 2:] + distance).clamp(min=_NEAREST)
    low, high = picture.amin(1, keepdim=True), picture.amax(1, keepdim=True)
    zoom = np.exp(stage.zoom * rng.standard_normal((count, 1, 1))).astype(np.float32)
    side = (high - low).amax(2, keepdim=True) * MARGIN * torch.from_numpy(zoom)
    true2d = (picture - (low + high) / 2) / side + 0.5
    return looks._replace(joints2d=true2d + looks.joints2d - looks.true2d, true2d=true2d,
                          joints3d=true3d + looks.joints3d - looks.true3d, true3d=true3d)  # fmt: skip


def turned(looks: Looks, view: Turned) -> Looks:
    """The same people mirrored and turned in the picture."""
    unit = looks.true3d.new_tensor([[0.0, 0.0, 1.0, 1.0]]).expand(len(looks.true3d), 4)
    return Looks(view.points(looks.joints2d, unit), view.each(looks.log_error), view.each(looks.visibility),
                 view.bodies(looks.joints3d), view.points(looks.true2d, unit), view.bodies(looks.true3d))  # fmt: skip


def fit_lift(
    preset: Preset, model: LCRNet, looks: Looks, data: Data, start: Start, options: LoopOptions,
    stage: LiftStage | None = None,
) -> Path:  # fmt: skip
    """Train the lift of a network whose other parts stay as they are.

    Args:
        preset, data, start: for the card; the bodies seen from elsewhere are those of `data`. model: with a lift.
        looks: of `known_people`. options: of the run. stage: how; the numbers of `LiftStage` unless given.

    Returns:
        the last checkpoint's folder, of the whole network. Raises as `loop.run`.
    """
    stage, lift = stage or LiftStage(), model.lift
    assert lift is not None
    model.requires_grad_(False).eval()
    lift.requires_grad_(True)
    bodies = torch.from_numpy(whole_poses(data.samples()))
    if not len(bodies):
        raise InputError("found nobody in the data's pictures whose 3D is known whole, wanted bodies to see from "
                         "elsewhere; add pictures of anchorpose synthesize render")  # fmt: skip
    own = round(stage.seen * stage.batch_size)
    wrong = looks.rows(looks.true2d.isfinite().flatten(1).all(1))
    if not len(wrong.true2d):
        raise InputError(f"found {len(looks.true2d)} people in 3D, none with a 2D label of every joint, wanted some, "
                         "whose errors are learnt from; add pictures of anchorpose synthesize render")  # fmt: skip

    def loss(rng: np.random.Generator) -> Tensor:
        def some(count: int, among: int) -> Tensor:
            return torch.from_numpy(rng.integers(among, size=count))

        seen = looks.rows(some(own, len(looks.true3d)))
        seen = turned(seen, Turned.draw(own, stage.turning, rng))
        rest = stage.batch_size - own
        errors = wrong.rows(some(rest, len(wrong.true3d)))
        others = elsewhere(bodies[some(rest, len(bodies))], errors, stage, rng)
        both = Looks(*(torch.cat(columns) for columns in zip(seen, others, strict=True)))
        found = lift(both.joints2d, both.log_error, both.visibility, both.joints3d)
        return ((found - both.true3d).square().sum(2) + 1e-6).sqrt().mean()

    card = card_of(preset, data, start)
    card |= {"lift_stage": asdict(stage) | {"looks": len(looks.true3d), "bodies": len(bodies)}}
    task = Task(model, loss, card, stage.steps, stage.learning_rate, stage.weight_decay, stage.warmup_steps, stage.ema,
                stage.clip)  # fmt: skip
    return run(task, options)
