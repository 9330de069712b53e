"""The command line. Nothing heavy is imported before a command runs, so that help and errors come at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from anchorpose.app.commands_batch import Batch
from anchorpose.app.commands_common import BAD_INPUT, training_extra
from anchorpose.app.commands_data import Data
from anchorpose.app.commands_detect import Detect
from anchorpose.app.commands_finish import TrackEdit, TrackFinish
from anchorpose.app.commands_info import Info
from anchorpose.app.commands_serve import Serve
from anchorpose.app.commands_synthesize import Synthesize
from anchorpose.app.commands_track import Track
from anchorpose.app.commands_view import View
from anchorpose.app.evaluate.archives2d import CrowdPose, MpiiMulti, MpiiSingle, PoseTrack
from anchorpose.app.evaluate.archives3d import H36mP1, H36mP2, H36mP3, Mpi3dhp, Mupots, ThreeDpw
from anchorpose.app.evaluate.own import Coco, Lsp, Rendered, Scenes
from anchorpose.core.errors import InputError

INTERRUPTED = 130
CLOSED_PIPE = 141


@dataclass(frozen=True)
class Evaluate:
    """Measures weights, or anybody's predictions, by the protocols of the papers."""

    protocol: (
        Annotated[Coco, tyro.conf.subcommand("coco")]
        | Annotated[MpiiSingle, tyro.conf.subcommand("mpii-single")]
        | Annotated[MpiiMulti, tyro.conf.subcommand("mpii-multi")]
        | Annotated[Lsp, tyro.conf.subcommand("lsp")]
        | Annotated[CrowdPose, tyro.conf.subcommand("crowdpose")]
        | Annotated[PoseTrack, tyro.conf.subcommand("posetrack")]
        | Annotated[H36mP1, tyro.conf.subcommand("h36m-p1")]
        | Annotated[H36mP2, tyro.conf.subcommand("h36m-p2")]
        | Annotated[H36mP3, tyro.conf.subcommand("h36m-p3")]
        | Annotated[Mupots, tyro.conf.subcommand("mupots")]
        | Annotated[Mpi3dhp, tyro.conf.subcommand("3dhp")]
        | Annotated[ThreeDpw, tyro.conf.subcommand("3dpw")]
        | Annotated[Rendered, tyro.conf.subcommand("rendered")]
        | Annotated[Scenes, tyro.conf.subcommand("scenes")]
    )

    def run(self) -> int:
        """Exit code."""
        return self.protocol.run()


@dataclass(frozen=True)
class Train:
    """Trains a network; needs the [train] extra."""

    preset: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="PRESET")]
    """What to train, such as lcrnet-lite, posebert or posebert-thin."""
    data: Annotated[tuple[str, ...], tyro.conf.arg(metavar="CARD.json|FILE.json=DIR"), tyro.conf.UseAppendAction] = ()
    """A data card, or COCO-style annotations and the folder of their images; for PoseBERT motion capture files,
    folders and globs. May be given several times."""
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")] = Path("runs/last")
    """Folder for checkpoints and the card."""
    epochs: Annotated[float | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """Passes through the data; the preset's own number unless given."""
    minutes: Annotated[float | None, tyro.conf.arg(metavar="MINUTES", help_behavior_hint="")] = None
    """Stop cleanly after this time."""
    batch_size: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """Images a step; the preset's own number unless given."""
    workers: Annotated[int, tyro.conf.arg(metavar="N")] = 2
    """Processes that read images."""
    decode_once: Annotated[int | None, tyro.conf.arg(metavar="PIXELS", help_behavior_hint="")] = None
    """Keep all photographs in the memory of the training device, with the longer side at most PIXELS, and make their
    random views there; meant for GPUs. They take 0.8 MB each at 512."""
    seed: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    """Start of all random numbers."""
    trunk_weights: Annotated[Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="")] = None
    """Weights of the backbone to start from."""
    start: Annotated[str | None, tyro.conf.arg(metavar="NAME|FILE.onnx", help_behavior_hint="")] = None
    """Go on from released weights of the same preset, to adapt them to own data; such as lcrnet-lite."""
    val: Annotated[tuple[str, ...], tyro.conf.arg(metavar="FILE.json=DIR"), tyro.conf.UseAppendAction] = ()
    """Annotated photographs to measure the result on; the figures go into the card."""
    second_pass: tyro.conf.FlagCreatePairsOff[bool] = False
    """Train the second pass of --start alone, on what the rest, as it is, sees of each person once in each of --epochs
    (1): many times as many people in the same time. They take 190 kB each in the output folder."""
    close_look: tyro.conf.FlagCreatePairsOff[bool] = False
    """Train the close look alone, on people cut out as the rest of --start finds them: 200 kB each in the output
    folder. Where --start has none, --trunk-weights of MoveNet Lightning (lcrnet-lite) or Thunder (lcrnet-base) are what
    it begins with."""
    lift: tyro.conf.FlagCreatePairsOff[bool] = False
    """Train what says the close look's 3D anew, alone, on people whose 3D is known, as the rest of --start finds them
    (200 kB each in the output folder), and on the same bodies seen from elsewhere."""
    teacher: Annotated[str | None, tyro.conf.arg(metavar="MODEL")] = None
    """With --close-look: weights with a larger close look to learn from too (distillation), such as lcrnet-base."""
    resume: bool = True
    """Go on from the last checkpoint in the output folder, if there is one."""

    def run(self) -> int:
        """Exit code."""
        if self.preset.startswith("posebert"):
            return self._posebert()
        if self.second_pass or self.close_look or self.lift:
            return self._part()
        if self.teacher is not None:
            raise InputError("found --teacher without --close-look, which alone learns from one; add it")
        with training_extra():
            from anchorpose.app.estimator import find_model
            from anchorpose.training.commands import train
            from anchorpose.training.fit import FitOptions
        options = FitOptions(out=self.out, epochs=self.epochs, minutes=self.minutes, batch_size=self.batch_size,
                             workers=self.workers, seed=self.seed, resume=self.resume)  # fmt: skip
        start = None if self.start is None else find_model(self.start)
        print(train(self.preset, self.data, options, self.trunk_weights, self.val, start, self.decode_once))
        return 0

    def _refuse(self, whose: str, *more: tuple[str, object], allowed: tuple[str, ...] = ()) -> None:
        """InputError for options that only the training of a whole network takes."""
        given = {"--batch-size": self.batch_size, "--trunk-weights": self.trunk_weights,
                 "--decode-once": self.decode_once, "--teacher": self.teacher}  # fmt: skip
        wrong = [name for name, value in (*given.items(), *more) if not (value in (None, ()) or value is False)]
        if wrong := [name for name in wrong if name not in allowed]:
            raise InputError(f"found {', '.join(wrong)}, which {whose} does not take; leave it out")

    def _part(self) -> int:
        flags = {"second pass": self.second_pass, "close look": self.close_look, "lift": self.lift}
        part, *more = [name for name, given in flags.items() if given]
        if more:
            found = " and ".join("--" + name.replace(" ", "-") for name in (part, *more))
            raise InputError(f"found {found}, wanted one of them; train one after the other")
        own = ("--trunk-weights", "--teacher") if self.close_look else ()
        self._refuse(f"the training of the {part}", allowed=own)
        if self.start is None:
            raise InputError(f"found no --start, wanted the weights whose {part} is trained; such as lcrnet-lite")
        views = 1.0 if self.epochs is None else self.epochs
        if views < 1 or views != round(views):
            raise InputError(f"found --epochs {views:g}, wanted a whole number of views of each photograph, 1 or more")
        with training_extra():
            from anchorpose.app.estimator import find_model
            from anchorpose.training.commands import train_close, train_lift, train_second
            from anchorpose.training.loop import LoopOptions
            from anchorpose.training.second.collect import CollectOptions
        options = LoopOptions(out=self.out, minutes=self.minutes, seed=self.seed, resume=self.resume)
        collecting = CollectOptions(self.out / "people", round(views), self.workers, self.seed)
        start = find_model(self.start)
        if self.close_look:
            teacher = None if self.teacher is None else find_model(self.teacher)
            print(train_close(self.preset, self.data, options, start, collecting, self.trunk_weights, self.val,
                              teacher))  # fmt: skip
        else:
            run = train_lift if self.lift else train_second
            print(run(self.preset, self.data, options, start, collecting, self.val))
        return 0

    def _posebert(self) -> int:
        self._refuse("PoseBERT", ("--epochs", self.epochs), ("--start", self.start), ("--val", self.val),
                     ("--second-pass", self.second_pass), ("--close-look", self.close_look),
                     ("--lift", self.lift))  # fmt: skip
        with training_extra():
            from anchorpose.training.loop import LoopOptions
            from anchorpose.training.posebert.commands import PoseBertOptions, train_posebert
        fit = LoopOptions(out=self.out, minutes=self.minutes, seed=self.seed, resume=self.resume)
        print(train_posebert(PoseBertOptions(self.preset, self.data, fit)))
        return 0


@dataclass(frozen=True)
class Export:
    """Writes a trained run as an ONNX file and its card; needs the [train] extra."""

    run_folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folder that `anchorpose train` wrote, such as runs/last."""
    out: Annotated[Path, tyro.conf.arg(metavar="FILE.onnx")] = Path("model.onnx")
    """The ONNX file; the card is written beside it."""

    def run(self) -> int:
        """Exit code."""
        with training_extra():
            from anchorpose.training.export import export
        try:
            worst = export(self.run_folder, self.out)
        except RuntimeError as error:
            raise InputError(f"{error}; nothing was written") from error
        print(f"{self.out}: differs from torch by at most {worst.pixels:.2g} pixels, {worst.metres:.2g} m, "
              f"{worst.scores:.2g} in scores ({worst.proposals} proposals)")  # fmt: skip
        return 0


Command = (
    Annotated[Detect, tyro.conf.subcommand("detect")]
    | Annotated[Track, tyro.conf.subcommand("track")]
    | Annotated[View, tyro.conf.subcommand("view")]
    | Annotated[Serve, tyro.conf.subcommand("serve")]
    | Annotated[Batch, tyro.conf.subcommand("batch")]
    | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
    | Annotated[Train, tyro.conf.subcommand("train")]
    | Annotated[Export, tyro.conf.subcommand("export")]
    | Annotated[Synthesize, tyro.conf.subcommand("synthesize")]
    | Annotated[Data, tyro.conf.subcommand("data")]
    | Annotated[Info, tyro.conf.subcommand("info")]
)
_TRACK = {"finish": TrackFinish, "edit": TrackEdit}
"""What may stand in the place of `track`'s source (./edit is a folder of that name)."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; None takes the arguments of this process.

    Returns:
        0, 2 for bad input (one line on stderr, never a traceback), 130 after Ctrl-C, 141 if the reader of our
        output went away.
    """
    try:
        code = _run(arguments)
        sys.stdout.flush()  # a closed pipe has to show here, where it can still be handled
        return code
    except InputError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        print("anchorpose: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Python flushes once more when it ends; that must not meet the closed pipe again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    except OSError as error:  # disk full, no permission, a file where a folder was wanted
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror or error}")


def _run(arguments: Sequence[str] | None) -> int:
    config = (tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes)
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        command: Any
        if words[:1] == ["track"] and "".join(words[1:2]) in _TRACK:
            command = tyro.cli(_TRACK[words[1]], prog=f"anchorpose track {words[1]}", args=words[2:], config=config)
        else:
            command = tyro.cli(Command, prog="anchorpose", args=words, config=config,
                               description="People in photographs as 2D and metric 3D bodies.")  # fmt: skip
    except SystemExit as stop:  # after --help or a wrong option
        return stop.code if isinstance(stop.code, int) else 0
    return int(command.run())


def _fail(message: str) -> int:
    print(f"anchorpose: error: {' '.join(message.split())}", file=sys.stderr)
    return BAD_INPUT


if __name__ == "__main__":
    sys.exit(main())
