"""`anchorpose serve`: the estimator as an HTTP service."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

import anchorpose
from anchorpose.app.commands_common import OK, EstimatorOptions, needing
from anchorpose.core.errors import InputError
from anchorpose.serve.limits import Limits

if TYPE_CHECKING:
    from anchorpose.app.estimator import Estimator
    from anchorpose.serve.guard import Access
    from anchorpose.serve.pictures import Estimate

TOKEN_VARIABLE = "ANCHORPOSE_TOKEN"
_PACKAGES = ("fastapi", "uvicorn", "starlette", "pydantic", "python_multipart", "prometheus_client", "websockets")


@dataclass(frozen=True)
class Serve:
    """Serves pictures, videos and streams of frames over HTTP; needs the [serve] extra.

    `anchorpose serve` prints its address, http://127.0.0.1:8765; `curl --data-binary @street.jpg
    http://127.0.0.1:8765/v1/detect` gives people as JSON. /docs tells the rest. Ctrl-C ends it; jobs that are not done
    go on when it is started again.
    """

    host: Annotated[str, tyro.conf.arg(metavar="ADDRESS")] = "127.0.0.1"
    """Where to listen; 0.0.0.0 is every network. Give a token then."""
    port: Annotated[int, tyro.conf.arg(metavar="N")] = 8765
    """0 takes a free one."""
    jobs_folder: Annotated[Path, tyro.conf.arg(name="jobs-folder", metavar="DIR")] = Path("anchorpose-jobs")
    """Folder for uploaded videos and their results."""
    token_file: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """File with the token that clients must send; without one the variable ANCHORPOSE_TOKEN, or else no token."""
    allow_host: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME", help_behavior_hint=""),
                          tyro.conf.UseAppendAction] = ()  # fmt: skip
    """A name under which clients reach it, such as that of a proxy; may be given several times."""
    workers: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """Pictures that are estimated at once; one on each core unless given."""
    job_workers: Annotated[int, tyro.conf.arg(metavar="N")] = 1
    """Videos that are tracked at once."""
    limits: Limits = field(default_factory=Limits)
    estimator: EstimatorOptions = field(default_factory=EstimatorOptions)

    def run(self) -> int:
        """Exit code."""
        with needing("serve", "the service", _PACKAGES):
            from anchorpose.serve.run import run
            from anchorpose.serve.service import Setup
        self.limits.check()
        workers = self._workers()
        access = self._access()
        alone = self.estimator.load()
        # One worker is always alone; several share the cores.
        together = alone if workers == 1 else replace(self.estimator, threads=1).load()
        info: dict[str, str | int | float] = {
            "name": alone.model.metadata.preset, "max_side": alone.max_side, "skeleton": alone.model.metadata.skeleton,
            "workers": workers}  # fmt: skip
        run(Setup(make_estimate(alone, together), workers, self.jobs_folder, self.job_workers, self._track_arguments(),
                  access, self.limits, info, anchorpose.__version__), self.host, self.port)  # fmt: skip
        return OK

    def _workers(self) -> int:
        from anchorpose.app.runtime import available_cores

        workers = available_cores() if self.workers is None else self.workers
        if workers < 1 or self.job_workers < 1:
            raise InputError(f"found --workers {workers} and --job-workers {self.job_workers}, wanted 1 or more")
        return workers

    def _access(self) -> Access:
        from anchorpose.serve.guard import Access, own_names

        token = os.environ.get(TOKEN_VARIABLE) or None
        if self.token_file is not None:
            try:
                token = self.token_file.read_text(encoding="utf-8").strip()
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or "it is no text"
                raise InputError(f"cannot read {self.token_file}: {reason}; write a token into it") from None
        names = own_names(self.host)
        if names is None and token is None:
            print(f"anchorpose: warning: everybody who reaches {self.host} can use the service and read its results; "
                  "give a --token-file", file=sys.stderr)  # fmt: skip
        if self.allow_host:
            names = (names or frozenset((self.host,))) | {name.lower() for name in self.allow_host}
        return Access(token, names)

    def _track_arguments(self) -> tuple[str, ...]:
        """The options of the network for the processes of jobs, which have another current folder."""
        options = self.estimator
        model = options.model
        if model is not None and Path(model).exists():
            model = str(Path(model).resolve())
        given = {"--model": model, "--min-score": options.min_score, "--max-side": options.max_side,
                 "--fov": options.fov, "--threads": options.threads,
                 "--provider": options.provider}  # fmt: skip
        return tuple(word for name, value in given.items() if value is not None for word in (name, str(value)))


def make_estimate(alone: Estimator, together: Estimator) -> Estimate:
    """Picture, options and whether nothing else runs -> people.

    Args:
        alone: takes all cores, for a picture that is alone.
        together: takes one core, for several at once: each is slower, all of them are done sooner.
    """
    from anchorpose.core.poses import Poses
    from anchorpose.serve.pictures import DetectOptions, Image

    def estimate(image: Image, options: DetectOptions, is_alone: bool) -> Poses:
        estimator = alone if is_alone else together
        if options.max_side is not None:
            estimator = replace(estimator, max_side=options.max_side)
        if options.fov is not None:
            estimator = replace(estimator, fov=options.fov)
        poses = estimator(image)
        return poses if options.min_score is None else poses.above(options.min_score)

    return estimate
