"""A data set's annotations with what its own protocol needs beyond COCO's: head sizes, crowding, tracks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError
from anchorpose.evaluation.annotations import Annotations

Array = NDArray[np.floating]
UNTRACKED = -1


@dataclass(frozen=True)
class Benchmark:
    """Images by rising id with everybody in them; each tuple has one entry an image, of its m people.

    Args:
        annotations: joints, boxes, areas, and who is ignored.
        head_sizes: (m,) pixels, `pck.head_size`; NaN where no head box is annotated.
        separated: (m,) True where nobody else is close (MPII's single_person).
        track_ids: (m,) identity within the sequence, `UNTRACKED` where there is none.
        sequences: the video of each image, empty where it is of none.
        frames: (images,) positions in the video.
        crowd_indices: (images,) CrowdPose's index, NaN where there is none.
        ignore_regions: (k, 2) polygons in pixels, in which people may be unlabelled.

    Raises:
        InputError: a tuple has another number of entries than there are images, or people.
    """

    annotations: Annotations
    head_sizes: tuple[Array, ...]
    separated: tuple[NDArray[np.bool_], ...]
    track_ids: tuple[NDArray[np.int64], ...]
    sequences: tuple[str, ...]
    frames: NDArray[np.int64]
    crowd_indices: Array
    ignore_regions: tuple[tuple[Array, ...], ...]

    def __post_init__(self) -> None:
        people = [len(truth) for truth in self.annotations.people]
        for name in ("head_sizes", "separated", "track_ids"):
            found = [len(values) for values in getattr(self, name)]
            if found != people:
                raise InputError(f"found {name} of {sum(found)} people in {len(found)} images, wanted those of "
                                 f"{sum(people)} in {len(people)}; give one for each annotated person")  # fmt: skip
        for name in ("sequences", "frames", "crowd_indices", "ignore_regions"):
            if len(getattr(self, name)) != len(people):
                raise InputError(f"found {len(getattr(self, name))} {name}, wanted one for each of {len(people)} "
                                 "images; give one for each")  # fmt: skip

    def __len__(self) -> int:
        return len(self.annotations)

    def only(self, file_names: Collection[str]) -> Benchmark:
        """Only the images with these file names."""
        wanted = set(file_names)
        keep = [i for i, image in enumerate(self.annotations.images) if image.file_name in wanted]

        def pick(values: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(values[i] for i in keep)

        return replace(
            self, annotations=self.annotations.only(wanted), head_sizes=pick(self.head_sizes),
            separated=pick(self.separated), track_ids=pick(self.track_ids), sequences=pick(self.sequences),
            frames=self.frames[keep], crowd_indices=self.crowd_indices[keep], ignore_regions=pick(self.ignore_regions),
        )  # fmt: skip
