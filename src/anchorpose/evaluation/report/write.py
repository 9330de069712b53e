"""`write_report`: an evaluation as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError
from anchorpose.core.poses import Poses
from anchorpose.evaluation.annotations import Annotations
from anchorpose.evaluation.protocols import Table, evaluate_coco, evaluate_lsp
from anchorpose.evaluation.report import sections, sections3d
from anchorpose.evaluation.report.bodies import gather3d
from anchorpose.evaluation.report.breakdown import error_rows, size_data
from anchorpose.evaluation.report.confidence import RIGHT, calibration_data, coverage_data, person_scores
from anchorpose.evaluation.report.curves import Data, pck_data, precision_recall_data
from anchorpose.evaluation.report.page import page, pictures_part, row, write_page
from anchorpose.evaluation.report.people import People, gather, others_unlabelled
from anchorpose.evaluation.report.pictures import DRAWN_SCORE, Picture, choose, draw
from anchorpose.evaluation.report.rarity import rarity_data
from anchorpose.evaluation.report.space import space_data
from anchorpose.evaluation.scenes import evaluate_scenes

_ORDER = ("By the mean OKS of the annotated people in a picture, 0 for those who were not found. The person's left "
          "is orange, right is blue; hidden joints are hollow. Predictions of nobody who is annotated are drawn from a "
          f"score of {DRAWN_SCORE:g} on.")  # fmt: skip


def write_report(
    folder: Path,
    annotations: Annotations,
    predictions: Mapping[str, Poses],
    images: Path,
    title: str,
) -> Path:
    """Write `folder/report.html`: figures, curves, what is hard, whether scores can be believed, and pictures.

    The file holds everything it shows (also as JSON, in the element `data`), opens without a network and follows the
    reader's light or dark mode.

    Args:
        folder: is made where it does not exist.
        annotations: of `load_annotations`.
        predictions: image file name -> its people; an image without people has empty `Poses`.
        images: folder of the annotated images; those that cannot be read are left out of the pictures only.
        title: heading of the page.

    Returns:
        The file.

    Raises:
        InputError: no images, an image without predictions, no joint name in common, or the file cannot be written.
    """
    if not len(annotations):
        raise InputError("the annotations list no images, so there is nothing to report; give some")
    tables, data, pictures = collect(annotations, predictions, images)
    return write_page(folder, _document(title, tables, data, pictures))


def collect(
    annotations: Annotations, predictions: Mapping[str, Poses], images: Path
) -> tuple[dict[str, Table], Data, dict[str, list[Picture]]]:
    """What the page shows: the commands' tables, each section's data, and the pictures.

    Arguments and errors as in `write_report`.
    """
    lsp = others_unlabelled(annotations)
    if lsp:
        tables = {"anchorpose evaluate lsp": evaluate_lsp(annotations, predictions)}
    else:
        tables = {"anchorpose evaluate coco": evaluate_coco(annotations, predictions)}
    people = gather(annotations, predictions)
    bodies = gather3d(annotations, predictions)
    unit = "torso" if lsp else "box"
    scores, right = _lsp_scores(people) if lsp else person_scores(annotations, predictions, people)
    data: Data = {
        "counts": {"images": len(annotations), "people": len(people), "found": int((~people.missed).sum()),
                   "predictions": sum(len(predictions[image.file_name]) for image in annotations.images)},
        "pck": pck_data(people, unit),
        "precision_recall": None if lsp else precision_recall_data(annotations, predictions, people.skeleton.joints),
        "error": error_rows(people, unit), "size": size_data(annotations, predictions, people, unit, not lsp),
        "rarity": rarity_data(people, unit), "calibration": calibration_data(scores, right, people),
        "coverage": coverage_data(people, unit), "space": None,
    }  # fmt: skip
    if len(bodies):
        tables["anchorpose evaluate scenes"] = evaluate_scenes(annotations, predictions)
        data["space"] = space_data(bodies)
    pictures = {name: [draw(annotations, predictions, people, images, *chosen) for chosen in group]
                for name, group in choose(people.image, people.similarity, len(annotations)).items()}  # fmt: skip
    return tables, data, pictures


def _lsp_scores(people: People) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Scores of the predictions that were taken for somebody: of the others nobody knows whether they are right."""
    found = ~people.missed
    return people.scores[found], (people.similarity[found] >= RIGHT).astype(np.float64)


def _document(title: str, tables: Mapping[str, Table], data: Data, pictures: Mapping[str, list[Picture]]) -> str:
    parts = {
        "Figures": row(sections.figures_section(tables)),
        "Curves": row(sections.pck_section(data["pck"]), sections.precision_recall_section(data["precision_recall"])),
        "Joints": row(sections.error_section(data["error"])),
        "Size and rarity": row(sections.size_section(data["size"]), sections.rarity_section(data["rarity"])),
        "Scores": row(sections.calibration_section(data["calibration"], f"OKS {RIGHT:g}"),
                      sections.coverage_section(data["coverage"], _wrong(data["coverage"]))),
        "3D": "" if data["space"] is None else _space(data["space"]),
        "Pictures": pictures_part(pictures, _ORDER, "{:.2f}".format),
    }  # fmt: skip
    return page(title, _introduction(data), parts, {"tables": tables, **data}, pictures)


def _wrong(data: Data) -> str:
    return f"{data['headline']:g} of the {data['unit']}"


def _space(data: Data) -> str:
    centre = "Relative to the body centre, nothing aligned."
    mean = "-" if data["MPJPE"] is None else f"{data['MPJPE']:.1f} mm"
    return (f"<p>MPJPE {mean} over {data['found']} of {data['people']} people with exact 3D.</p>"
            + row(*sections3d.curve_sections(data["curve"]), sections3d.joints_section(data, centre),
                  sections3d.states_section(data, centre), sections3d.size_section(data["size"]),
                  sections3d.rarity_section(data["rarity"])))  # fmt: skip


def _introduction(data: Data) -> str:
    counts = data["counts"]
    if data["precision_recall"] is None:
        rule = ("One person of each photograph is labelled; the prediction whose box overlaps theirs most is taken for "
                "them. Errors are shares of the torso, from a shoulder to the opposite hip.")  # fmt: skip
    else:
        rule = ("Each annotated person takes the free prediction that is most similar in 2D (OKS at least 0.1), best "
                "pairs first. Errors are shares of the longer side of the annotated box.")  # fmt: skip
    return (f"<p>{counts['images']} images, {counts['people']} annotated people who count, {counts['found']} of them "
            f"found, {counts['predictions']} predictions.</p><p class=\"soft\">{rule}</p>")  # fmt: skip
