"""`anchorpose synthesize`: training data from motion capture and photographs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from anchorpose.core.errors import InputError

_File = Annotated[Path, tyro.conf.arg(metavar="FILE")]
_Dir = Annotated[Path, tyro.conf.arg(metavar="DIR")]
_Count = Annotated[int, tyro.conf.arg(metavar="N")]
_MaybeFile = Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")]
_MaybeDir = Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")]


@dataclass(frozen=True)
class Library:
    """Collects the different poses of motion capture files (BVH, ASF/AMC, C3D, DeepMimic)."""

    paths: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="PATH")]
    """Files, folders and globs."""
    out: _File = Path("poses.npz")
    """The pose library to write."""
    stride: _Count = 1
    """Use every N-th frame."""
    min_distance: Annotated[float, tyro.conf.arg(metavar="METRES")] = 0.03
    """Leave out poses whose joints are on average nearer than this to a pose that was kept."""
    seed: _Count = 0
    """Start of all random numbers."""
    preview: _Count = 0
    """Also draw so many poses into a picture beside the library."""

    def run(self) -> int:
        """Exit code: 2 if some files could not be used."""
        from anchorpose.synthesis.library import build_library

        report = build_library(self.paths, self.out, self.stride, self.min_distance, self.seed)
        print("\n".join(report.lines()))
        if self.preview:
            from anchorpose.synthesis.sheet import pose_sheet

            print(pose_sheet(report.library.joints3d, self.out.with_suffix(".preview.jpg"), self.preview, self.seed))
        return 2 if report.failed else 0


@dataclass(frozen=True)
class Lift:
    """Gives people with 2D labels the 3D of the nearest motion capture pose (LCR-Net section 4.2)."""

    annotations: _File
    """COCO-style keypoint annotations of any known skeleton."""
    library: _File
    """Pose library, made by `anchorpose synthesize library`."""
    out: _File
    """The annotations to write, with 3D where a pose fits."""
    views: _Count = 200
    """Virtual cameras around each pose."""
    neighbours: _Count | None = None
    """Matches whose weighted mean is taken; 1 is the paper's single nearest neighbour."""
    max_error: Annotated[float | None, tyro.conf.arg(metavar="METRES", help_behavior_hint="")] = None
    """Leave people without 3D whose best match misses their joints by more."""
    teacher: _MaybeFile = None
    """3D guesses of a network (npz), for those whose labels they meet."""
    prefer: Literal["match", "teacher"] = "match"
    """Whose 3D counts for people that both know."""
    fix_swapped: bool = False
    """Exchange left and right labels of arms or legs where they contradict each other; else such people are flagged."""
    seed: _Count = 0
    """Start of all random numbers."""
    images: _MaybeDir = None
    """Folder of the photographs, for the preview."""
    preview: _Count = 0
    """Also draw so many photographs with their people into a picture beside the annotations."""

    def run(self) -> int:
        """Exit code."""
        from anchorpose.synthesis.lift_annotations import LiftOptions, lift_annotations
        from anchorpose.synthesis.views import ViewOptions

        if self.preview and self.images is None:
            raise InputError("a preview needs the photographs; give --images DIR")
        plain = LiftOptions()
        neighbours = plain.neighbours if self.neighbours is None else self.neighbours
        max_error = plain.max_error if self.max_error is None else self.max_error
        options = LiftOptions(
            ViewOptions(self.views), neighbours=neighbours, max_error=max_error, prefer=self.prefer,
            fix_swapped=self.fix_swapped, seed=self.seed,
        )  # fmt: skip
        print(lift_annotations(self.annotations, self.library, self.out, options, self.teacher).line())
        if self.images is not None:
            _preview(self.out, self.images, self.preview, self.seed, self.out.with_suffix(".preview.jpg"))
        return 0


@dataclass(frozen=True)
class Pictures:
    """What rendered people and mosaics share."""

    library: _File
    """Pose library, made by `anchorpose synthesize library`."""
    out: _Dir
    """Folder for the images and their annotations; a run that was stopped goes on where it was."""
    count: _Count = 1000
    """Pictures in the folder in the end."""
    seed: _Count = 0
    """Start of all random numbers; each picture depends only on it and its own number."""
    processes: _Count = field(default_factory=lambda: len(os.sched_getaffinity(0)))
    """How many work at the same time; every core unless given."""
    preview: _Count = 0
    """Also draw so many of them into DIR/preview.jpg."""


@dataclass(frozen=True)
class Mosaic:
    """Cuts people out of labelled photographs and puts them together in new poses (Rogez and Schmid 2016)."""

    annotations: _File
    """COCO-style keypoint annotations of the photographs."""
    images: _Dir
    """Folder of the photographs."""
    pictures: Pictures
    size: _Count = 256
    """Side of the pictures, pixels."""
    backgrounds: _MaybeDir = None
    """Folder of photographs without people, for what no photograph covers."""
    lifted: _MaybeFile = None
    """3D guesses of the photographs' people (npz): limbs towards and away from the camera are told apart."""

    def run(self) -> int:
        """Exit code."""
        from anchorpose.synthesis.library import PoseLibrary
        from anchorpose.synthesis.mosaic.generate import mosaic

        made = self.pictures
        report = mosaic(PoseLibrary.load(made.library), self.annotations, self.images, made.out, made.count,
                        seed=made.seed, size=self.size, processes=made.processes, backgrounds=self.backgrounds,
                        lifted=self.lifted)  # fmt: skip
        print(f"{report.annotations}: {report.written} mosaics written, {report.already_there} were there already, "
              f"{report.left_out} left out because nothing fitted")  # fmt: skip
        _preview_folder(report.annotations, made)
        return 0


@dataclass(frozen=True)
class Render:
    """Renders clothed people over photographs with exact 2D, 3D, depth and joint states; needs [synthesis]."""

    backgrounds: _Dir
    """Folder of photographs without people."""
    textures: _Dir
    """Folder of pictures of cloth and other surfaces."""
    pictures: Pictures
    size: _Count = 384
    """Side of the pictures, pixels."""
    people: tuple[int, int] = (1, 5)
    """Fewest and most people in a picture."""
    split: Literal["all", "train", "test"] = "all"
    """`train` and `test` share no body, clip, background or texture."""
    device: str = "auto"
    """What draws: cpu, cuda:0 ...; auto takes the first GPU if there is one."""
    maps: bool = False
    """Also write depth (16-bit PNG, millimetres), body parts and person masks."""

    def run(self) -> int:
        """Exit code."""
        from anchorpose.synthesis.rendering.render import render
        from anchorpose.synthesis.rendering.scene import RenderOptions

        made = self.pictures
        options = RenderOptions(width=self.size, height=self.size, people=self.people, device=self.device)
        report = render(made.library, self.backgrounds, self.textures, made.out, made.count, made.seed, self.split,
                        options=options, maps=self.maps, processes=made.processes)  # fmt: skip
        new = f"{report.rendered} of them new with {report.people} people"
        print(f"{report.annotations}: {report.images} pictures, {new}")
        _preview_folder(report.annotations, made)
        return 0


@dataclass(frozen=True)
class Sequences:
    """Renders videos of people who cross, hide each other, leave and come back, with exact truth; needs [synthesis]."""

    motions: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="PATH")]
    """Motion capture of people who walk: files, folders and globs."""
    backgrounds: _Dir
    """Folder of photographs without people."""
    textures: _Dir
    """Folder of pictures of cloth and other surfaces."""
    out: _Dir
    """Folder for a folder of each sequence; a run that was stopped goes on where it was."""
    count: _Count = 8
    """Sequences in the folder in the end."""
    frames: _Count = 120
    """Frames of each."""
    fps: Annotated[float, tyro.conf.arg(metavar="F")] = 15.0
    """Frames a second."""
    size: tuple[int, int] = (384, 288)
    """Width and height, pixels."""
    people: tuple[int, int] = (3, 4)
    """Fewest and most people in a sequence."""
    split: Literal["all", "train", "test"] = "all"
    """`train` and `test` share no body, clip, background or texture."""
    bodies: _Count = 120
    """Different bodies to choose from."""
    seed: _Count = 0
    """Start of all random numbers; each sequence depends only on it and its own number."""
    preview: _Count = 0
    """Also draw so many sequences into DIR/preview.jpg, six frames of each."""

    def run(self) -> int:
        """Exit code."""
        from anchorpose.synthesis.sequences import SequenceOptions, render_sequences

        options = SequenceOptions(self.size[0], self.size[1], self.frames, self.fps, self.people)
        made = render_sequences(self.motions, self.backgrounds, self.textures, self.out, self.count, self.seed,
                                self.split, self.bodies, options)  # fmt: skip
        print(f"{self.out}: {len(made.folders)} sequences ({made.rendered} of them new), {made.frames} frames")
        if self.preview:
            print(_strips(made.folders[: self.preview], self.out / "preview.jpg"))
        return 0


@dataclass(frozen=True)
class Synthesize:
    """Makes training data from motion capture and photographs."""

    what: (
        Annotated[Library, tyro.conf.subcommand("library")]
        | Annotated[Lift, tyro.conf.subcommand("lift")]
        | Annotated[Mosaic, tyro.conf.subcommand("mosaic")]
        | Annotated[Render, tyro.conf.subcommand("render")]
        | Annotated[Sequences, tyro.conf.subcommand("sequences")]
    )

    def run(self) -> int:
        """Exit code."""
        return self.what.run()


def _preview_folder(annotations: Path, made: Pictures) -> None:
    _preview(annotations, made.out / "images", made.preview, made.seed, made.out / "preview.jpg")


def _preview(annotations: Path, images: Path, count: int, seed: int, out: Path) -> None:
    if count:
        from anchorpose.synthesis.sheet import contact_sheet

        print(contact_sheet(annotations, images, out, count, seed=seed))


def _strips(folders: Sequence[Path], out: Path, columns: int = 6) -> Path:
    """A picture with a row a sequence: frames evenly over time, with everybody's truth and number."""
    import numpy as np

    from anchorpose.io.files import write_image
    from anchorpose.io.overlay import draw_overlay
    from anchorpose.synthesis.sequences import read_sequence

    rows = []
    for folder in folders:
        frames = list(read_sequence(folder))
        chosen = [frames[i] for i in np.linspace(0, len(frames) - 1, columns).round().astype(int)]
        rows.append(np.hstack([draw_overlay(f.image, f.poses, extend=False) for f in chosen]))
    write_image(out, np.vstack(rows))
    return out
