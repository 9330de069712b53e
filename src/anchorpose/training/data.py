"""Which data a run is trained on: a data card (JSON) or `FILE.json=IMAGES` pairs, with licences for the card."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from anchorpose.core.errors import InputError
from anchorpose.datasets.coco import read_coco
from anchorpose.datasets.loader import Fresh
from anchorpose.datasets.samples import Floats, Sample
from anchorpose.lcrnet.anchors import AnchorPoses, build_anchors, random_views
from anchorpose.synthesis.library import read_clip
from anchorpose.synthesis.views import mirror_poses
from anchorpose.training.fresh import read_fresh

MOCAP_STRIDE = 10
MOCAP_SHARE = 0.5
"""Motion capture poses used for the anchors, as a share of the photographs' 3D poses: mostly walking and standing."""


@dataclass(frozen=True)
class Source:
    """One labelled set of photographs; see `anchorpose.datasets.coco.read_coco`."""

    name: str
    annotations: Path
    images: Path
    exhaustive: bool = True
    lifted: Path | None = None
    licence: str = "not stated"
    repeat: int = 1

    def read(self) -> list[Sample]:
        """Its samples, `repeat` times: a small set that matters is seen as often as a large one."""
        return read_coco(self.annotations, self.images, self.exhaustive, self.lifted) * self.repeat


@dataclass(frozen=True)
class Data:
    """Everything a run reads: photographs, and motion capture for the anchor-poses."""

    sources: tuple[Source, ...]
    mocap: tuple[Path, ...] = ()
    mocap_licence: str = "not stated"
    use: str = "what the licences of the data allow"
    fresh: tuple[Fresh, ...] = ()

    def samples(self) -> list[Sample]:
        """All photographs that have people."""
        return [s for source in self.sources for s in source.read() if s.people]

    def anchors(self, samples: Sequence[Sample], count: int, seed: int) -> AnchorPoses:
        """K anchor-poses from the photographs' 3D poses, their mirror images and the motion capture.

        Raises:
            InputError: there are too few 3D poses.
        """
        own = whole_poses(samples)
        rng = np.random.default_rng(seed)
        poses = [own]
        if self.mocap:
            captured = np.concatenate([read_clip(path, MOCAP_STRIDE).poses for path in self.mocap])
            views = random_views(captured, 2, rng)
            wanted = int(MOCAP_SHARE * len(own)) if len(own) else len(views)
            poses.append(views[rng.permutation(len(views))[:wanted]])
        together = np.concatenate(poses)
        together = np.concatenate([together, mirror_poses(together)])
        if len(together) < count:
            raise InputError(
                f"found {len(together)} 3D poses for {count} anchor-poses; give lifted 3D or motion capture"
            )
        return build_anchors(together, count, seed)

    def licences(self) -> dict[str, str]:
        """Name -> licence, for the card."""
        found = {s.name: s.licence for s in self.sources} | {f.name: f.licence for f in self.fresh}
        return found | ({"motion capture (anchor-poses)": self.mocap_licence} if self.mocap else {})


def read_data(specifications: Sequence[str]) -> Data:
    """Data of `FILE.json=IMAGES` pairs and data cards.

    A data card is JSON with `sources` (each `name`, `annotations`, `images` and, where they apply, `exhaustive`,
    `lifted`, `repeat`, `licence`), `mocap` (globs of motion capture files or pose libraries), `mocap_licence` and `use`
    (what the weights may be used for); paths are relative to the card.

    Raises:
        InputError: a card or a path is missing or malformed.
    """
    sources: list[Source] = []
    mocap: list[Path] = []
    fresh: list[Fresh] = []
    licence, use = "not stated", Data.use
    for text in specifications:
        if "=" in text:
            annotations, images = (Path(part) for part in text.split("=", 1))
            sources.append(Source(annotations.stem, annotations, images))
            continue
        card, base = _read_card(Path(text)), Path(text).parent
        sources += [_source(entry, base, text) for entry in card.get("sources", [])]
        fresh += [read_fresh(entry, base, text) for entry in card.get("fresh", [])]
        for pattern in card.get("mocap", []):
            absolute = Path(pattern).is_absolute()
            mocap += sorted(Path("/").glob(pattern[1:]) if absolute else base.glob(pattern))
        licence, use = card.get("mocap_licence", licence), card.get("use", use)
    if not sources and not fresh:
        raise InputError("found no photographs to train on; give --data FILE.json=IMAGES or a data card")
    return Data(tuple(sources), tuple(mocap), licence, use, tuple(fresh))


def _read_card(path: Path) -> dict[str, Any]:
    try:
        card = json.loads(path.read_text())
    except OSError as error:
        raise InputError(
            f"cannot read the data card {path}: {error.strerror}; give FILE.json=IMAGES or a card"
        ) from None
    except ValueError as error:
        raise InputError(f"the data card {path} is not JSON: {error}") from None
    if not isinstance(card, dict) or "sources" not in card:
        raise InputError(f"{path} has no 'sources'; give FILE.json=IMAGES for a single annotation file")
    return card


def _source(entry: dict[str, Any], base: Path, card: str) -> Source:
    missing = {"name", "annotations", "images"} - set(entry)
    if missing:
        raise InputError(f"a source of {card} lacks {', '.join(sorted(missing))}")
    lifted = base / entry["lifted"] if "lifted" in entry else None
    return Source(
        entry["name"], base / entry["annotations"], base / entry["images"], entry.get("exhaustive", True), lifted,
        entry.get("licence", "not stated"), entry.get("repeat", 1),
    )  # fmt: skip


def whole_poses(samples: Sequence[Sample]) -> Floats:
    """(n, 13, 3) metres: the 3D of all people of whom it is known whole, as `Person.facing3d`."""
    known = [p.facing3d for s in samples for p in s.people if not np.isnan(p.joints3d).any()]
    return np.array(known, np.float32).reshape(-1, 13, 3)
