"""`write_archive_report`: an evaluation on an archive with 3D as one HTML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from anchorpose.core.poses import Poses
from anchorpose.evaluation.protocols import Table
from anchorpose.evaluation.report import sections, sections3d
from anchorpose.evaluation.report.archives import Protocol, gather_archive
from anchorpose.evaluation.report.confidence import calibration3d_data, coverage3d_data
from anchorpose.evaluation.report.curves import Data
from anchorpose.evaluation.report.frames import MOST, frames
from anchorpose.evaluation.report.page import page, pictures_part, row, write_page
from anchorpose.evaluation.report.pictures import DRAWN_SCORE, Picture
from anchorpose.evaluation.report.space import space_data
from anchorpose.evaluation.truth3d import Truth3D

_BEST = "Of several predictions the one with the best score is taken."
_HIPS = "Relative to the middle of the hips."
_H36M = f"{_BEST} Poses are relative to the body centre, the mean of hips and shoulders"
_RULES: Mapping[Protocol, tuple[str, str]] = {
    "h36m-p1": (f"{_H36M}; nothing is aligned.", "Relative to the body centre."),
    "h36m-p2": (f"{_H36M}; nothing is aligned.", "Relative to the body centre."),
    "h36m-p3": (f"{_H36M}, and aligned with the truth by rotation, scale and shift.", "After alignment."),
    "mupots": ("People are matched in 2D as the toolkit does; other predictions cost nothing. Poses are relative to "
               "the pelvis.", "Relative to the pelvis."),
    "3dhp": (f"{_BEST} Poses are relative to the pelvis.", "Relative to the pelvis."),
    "3dpw": ("Each annotated person takes the free prediction that is most similar in 2D (OKS at least 0.1), best "
             "pairs first. Poses are relative to the middle of the hips.", _HIPS),
}  # fmt: skip
"""What is compared, in full and in short."""


def write_archive_report(
    folder: Path,
    protocol: Protocol,
    table: Table,
    truths: Sequence[Truth3D],
    predictions: Mapping[str, Poses],
    images: Path,
    system: str,
    rescale: bool = False,
) -> Path:
    """Write `folder/report.html`: figures beside published ones, curves, what is hard, scores, and pictures.

    The file holds everything it shows (also as JSON, in the element `data`), opens without a network and follows the
    reader's light or dark mode.

    Args:
        folder: is made where it does not exist.
        protocol: by whose rules.
        table: of the protocol's `evaluate_...`.
        truths: its pictures. predictions: file name -> people.
        images: the archive's folder; pictures that are not there are shown as figures of lines only.
        system: what the predictions are called.
        rescale: see `archives.gather_archive`.

    Returns:
        The file.

    Raises:
        InputError: see the protocol's `evaluate_...`, or the file cannot be written.
    """
    data, pictures = collect_archive(protocol, table, truths, predictions, images, rescale)
    title = f"{system}: {protocol} on {images.name or 'the archive'}"
    return write_page(folder, _document(title, protocol, system, data, pictures, rescale))


def collect_archive(
    protocol: Protocol, table: Table, truths: Sequence[Truth3D], predictions: Mapping[str, Poses], images: Path,
    rescale: bool,
) -> tuple[Data, dict[str, list[Picture]]]:  # fmt: skip
    """What the page shows: each section's data, and the pictures; arguments and errors as above."""
    bodies = gather_archive(protocol, truths, predictions, rescale)
    data: Data = {
        "counts": {"images": len(truths), "people": len(bodies), "found": int((~bodies.missed).sum()),
                   "predictions": sum(len(predictions[truth.file_name]) for truth in truths)},
        "tables": {f"anchorpose evaluate {protocol}": table}, "space": space_data(bodies),
        "calibration": calibration3d_data(bodies), "coverage": coverage3d_data(bodies),
    }  # fmt: skip
    return data, frames(bodies, truths, predictions, images)


def _document(title: str, protocol: Protocol, system: str, data: Data,
              pictures: Mapping[str, Sequence[Picture]], rescale: bool) -> str:  # fmt: skip
    rule, centre = _RULES[protocol]
    rule += " Predicted bones have the true lengths." if rescale else ""
    space, (table,) = data["space"], data["tables"].values()
    published, headline, detail = sections3d.protocol_sections(protocol, system, table)
    parts = {
        "Figures": row(published) + row(headline, detail),
        "Curves": row(*sections3d.curve_sections(space["curve"])),
        "Joints": row(sections3d.joints_section(space, centre), sections3d.states_section(space, centre)),
        "Size and rarity": row(sections3d.size_section(space["size"]), sections3d.rarity_section(space["rarity"])),
        "Scores": row(sections.calibration_section(data["calibration"], "mean error below 150 mm"),
                      sections.coverage_section(data["coverage"], "150 mm")),
        "Pictures": pictures_part(pictures, _order(pictures), "{:.0f} mm".format),
    }  # fmt: skip
    counts = data["counts"]
    introduction = (f"<p>{counts['images']} pictures, {counts['people']} annotated people, {counts['found']} of them "
                    f"found, {counts['predictions']} predictions.</p><p class=\"soft\">{rule} Errors are in "
                    "millimetres.</p>")  # fmt: skip
    return page(title, introduction, parts, data, pictures)


def _order(groups: Mapping[str, Sequence[Picture]]) -> str:
    """How the pictures are ordered and drawn, and whether they are there."""
    shown = [picture for group in groups.values() for picture in group]
    absent = sum(not picture.truth for picture in shown)
    text = (f"By the mean error of the annotated people in a picture; nobody counts as worse than {MOST:.0f} mm, and "
            "who was not found as that. The person's left is orange, right is blue; hidden joints are hollow. "
            f"Predictions of nobody who is annotated are drawn from a score of {DRAWN_SCORE:g} on. Below, the person "
            "with the greatest error of the picture in 3D: annotated dashed, found in colours.")  # fmt: skip
    if absent == len(shown):
        return f"{text} The archive's folder holds none of these pictures, so people are shown in 3D only."
    return f"{text} {absent} of these {len(shown)} pictures cannot be read in the archive's folder." if absent else text
