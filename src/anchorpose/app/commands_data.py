"""`anchorpose data`: checks users' annotations, converts keypoint files, packs training data."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from anchorpose.app.commands_common import OK, make_folder, training_extra
from anchorpose.core.errors import InputError

if TYPE_CHECKING:
    from anchorpose.datasets.check import Report

PROBLEMS = 1
_Json = Annotated[str | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")]
_MaybeFile = Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")]
_Format = Literal["coco", "coco-results", "anchorpose", "openpose"]
_Archive = Literal["lsp-mat", "lspe-mat", "mpii-mat", "flic-mat", "crowdpose", "posetrack", "h36m-p1", "h36m-p2",
                   "h36m-p3", "3dhp-train", "3dhp-test", "mupots", "3dpw", "humaneva", "panoptic",
                   "agora"]  # fmt: skip


@dataclass(frozen=True)
class Check:
    """Lists what is wrong with COCO-style keypoint annotations, and draws some."""

    files: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="FILE.json", help_behavior_hint="")]
    """Annotations; several are the splits of one data set, which must not share pictures."""
    images: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = ()
    """Folder of the pictures: one for all files, or one for each in their order."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="SHEET.jpg", help_behavior_hint="")] = None
    """Draw people of each file into a picture; needs --images."""
    samples: Annotated[int, tyro.conf.arg(metavar="N")] = 16
    """So many pictures are drawn."""
    seed: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    """Chooses them."""
    json: _Json = None
    """Also write the findings here; - is the standard output, instead of the list."""

    def run(self) -> int:
        """Exit code: 0 where nothing wrong was found, 1 for problems."""
        from anchorpose.datasets.check import check
        from anchorpose.io.files import write_json

        if not self.files:
            raise InputError("found no file, wanted annotations to check; give FILE.json")
        if len(self.images) not in (0, 1, len(self.files)):
            raise InputError(f"found {len(self.images)} folders for {len(self.files)} files, wanted one for all or one "
                             "for each; give --images DIR ...")  # fmt: skip
        if self.out is not None and (not self.images or self.samples < 1):
            raise InputError("the sheet needs pictures to draw; give --images and --samples 1 or more")
        folders = self.images * (len(self.files) if len(self.images) == 1 else 1) or (None,) * len(self.files)
        report = check(self.files, folders)
        if self.json == "-":
            print(json.dumps(report.to_dict(), allow_nan=False))
        else:
            print("\n".join(report.lines()))
        if self.json not in (None, "-"):
            make_folder(Path(str(self.json)).parent)
            write_json(str(self.json), report.to_dict(), indent=1)
        for sheet in self._sheets(report):
            if self.json != "-":
                print(sheet)
        return PROBLEMS if report.problems else OK

    def _sheets(self, report: Report) -> Iterator[Path]:
        """One picture a file; where there are several, the files' names are added to `out`."""
        if self.out is None:
            return
        from anchorpose.datasets.check import sound
        from anchorpose.io.files import write_json
        from anchorpose.synthesis.sheet import contact_sheet

        make_folder(self.out.parent)
        for number, path in enumerate(self.files):
            folder = self.images[number if len(self.images) > 1 else 0]
            out = self.out if len(self.files) == 1 else self.out.with_stem(f"{self.out.stem}-{number + 1}-{path.stem}")
            with tempfile.TemporaryDirectory() as temporary:
                cleaned = Path(temporary) / path.name
                write_json(cleaned, sound(path, report))
                yield contact_sheet(cleaned, folder, out, self.samples, seed=self.seed)


@dataclass(frozen=True)
class Convert:
    """Turns a keypoint file into another format or skeleton, and says what is lost."""

    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="IN")]
    """The file (of AGORA an exported table), or the folder of OpenPose or of an unpacked archive (of CMU Panoptic a
    sequence)."""
    read_as: Annotated[_Format | _Archive, tyro.conf.arg(name="from")]
    """Its format: COCO annotations, COCO results, our poses.json, OpenPose's folder of JSON, or an original archive."""
    write_as: Annotated[_Format, tyro.conf.arg(name="to")]
    """The format to write."""
    out: Annotated[Path, tyro.conf.arg(metavar="OUT")]
    """The file to write, or OpenPose's folder."""
    skeleton: Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="")] = None
    """Write these joints, found by name, such as LCR13 or COCO17; those of the source unless given."""
    annotations: _MaybeFile = None
    """COCO annotations that name the pictures, their ids and sizes; needed to read COCO results and OpenPose."""
    split: Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="")] = None
    """Part of an archive, such as train; the one that is evaluated unless given."""

    def run(self) -> int:
        """Exit code."""
        from anchorpose.datasets.convert import convert, find_skeleton

        skeleton = None if self.skeleton is None else find_skeleton(self.skeleton)
        make_folder(self.out if self.write_as == "openpose" else self.out.parent)
        done = convert(self.source, self.read_as, self.out, self.write_as, skeleton, self.annotations,
                       self.split)  # fmt: skip
        print(f"{self.out}: {done.images} images, {done.people} people")
        for line in done.lost:
            print(f"  lost: {line}")
        return OK


@dataclass(frozen=True)
class Pack:
    """Writes training data once more, small and in few files, to carry to another machine; needs the [train] extra."""

    data: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="CARD.json|FILE.json=DIR",
                                                                        help_behavior_hint="")]  # fmt: skip
    """As for `anchorpose train --data`."""
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """A new or empty folder; train with --data DIR/card.json."""
    side: Annotated[int, tyro.conf.arg(metavar="PIXELS")] = 512
    """Photographs are made so long where they are longer."""
    shard: Annotated[float, tyro.conf.arg(metavar="MIB")] = 16
    """Most mebibytes of a file of photographs."""
    quality: Annotated[int, tyro.conf.arg(metavar="Q")] = 92
    """Of the JPEG pictures, 1 to 100."""

    def run(self) -> int:
        """Exit code."""
        if self.side < 32:
            raise InputError(f"found --side {self.side}, wanted 32 pixels or more")
        if not self.shard >= 1:
            raise InputError(f"found --shard {self.shard:g}, wanted 1 MiB or more")
        if not 1 <= self.quality <= 100:
            raise InputError(f"found --quality {self.quality}, wanted 1 to 100")
        with training_extra():
            from anchorpose.training.data import read_data
            from anchorpose.training.pack import pack

        done = pack(read_data(self.data), self.out, self.side, int(self.shard * 2**20), self.quality)
        print(f"{done.card}: {done.pictures} photographs in {done.shards} files, {done.people} people, "
              f"{done.size / 1e6:.1f} MB")  # fmt: skip
        return OK


@dataclass(frozen=True)
class Data:
    """Checks, converts and packs annotated photographs."""

    what: (
        Annotated[Check, tyro.conf.subcommand("check")]
        | Annotated[Convert, tyro.conf.subcommand("convert")]
        | Annotated[Pack, tyro.conf.subcommand("pack")]
    )

    def run(self) -> int:
        """Exit code."""
        return self.what.run()
