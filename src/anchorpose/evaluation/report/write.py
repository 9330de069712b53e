"""`write_report`: an evaluation as one HTML file that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anchorpose.core.errors import InputError
from anchorpose.core.poses import Poses
from anchorpose.evaluation.annotations import Annotations
from anchorpose.evaluation.protocols import Table, evaluate_coco, evaluate_lsp
from anchorpose.evaluation.report import sections
from anchorpose.evaluation.report.breakdown import error_rows, size_data
from anchorpose.evaluation.report.confidence import RIGHT, calibration_data, coverage_data, person_scores
from anchorpose.evaluation.report.curves import Data, pck_data, precision_recall_data
from anchorpose.evaluation.report.people import People, gather, gather3d, others_unlabelled
from anchorpose.evaluation.report.pictures import DRAWN_SCORE, Picture, choose, draw
from anchorpose.evaluation.report.rarity import rarity_data
from anchorpose.evaluation.report.space import space_data
from anchorpose.evaluation.report.style import CSS, SCRIPT
from anchorpose.evaluation.scenes import evaluate_scenes
from anchorpose.io.files import atomic_write

FILE = "report.html"


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
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}: {error.strerror}; choose another for the report") from None
    atomic_write(folder / FILE, _page(title, tables, data, pictures))
    return folder / FILE


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
    if len(bodies.exact):
        tables["anchorpose evaluate scenes"] = evaluate_scenes(annotations, predictions)
        data["space"] = space_data(bodies, annotations.skeleton)
    pictures = {name: [draw(annotations, predictions, people, images, *chosen) for chosen in group]
                for name, group in choose(people, len(annotations)).items()}  # fmt: skip
    return tables, data, pictures


def _lsp_scores(people: People) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores of the predictions that were taken for somebody: of the others nobody knows whether they are right."""
    found = ~people.missed
    return people.scores[found], (people.similarity[found] >= RIGHT).astype(np.float64)


def _page(title: str, tables: Mapping[str, Table], data: Data, pictures: Mapping[str, list[Picture]]) -> str:
    listed = {name: [{k: v for k, v in asdict(p).items() if k not in ("truth", "prediction")} for p in group]
              for name, group in pictures.items()}  # fmt: skip
    everything = json.dumps({"title": title, "tables": tables, **data, "pictures": listed}, allow_nan=False)
    parts = {
        "Figures": _row(sections.figures_section(tables)),
        "Curves": _row(sections.pck_section(data["pck"]), sections.precision_recall_section(data["precision_recall"])),
        "Joints": _row(sections.error_section(data["error"])),
        "Size and rarity": _row(sections.size_section(data["size"]), sections.rarity_section(data["rarity"])),
        "Scores": _row(sections.calibration_section(data["calibration"]), sections.coverage_section(data["coverage"])),
        "3D": "" if data["space"] is None else sections.space_section(data["space"]),
        "Pictures": _pictures(pictures),
    }
    parts = {name: content for name, content in parts.items() if content}
    links = "".join(f'<a href="#{_id(name)}">{name}</a>' for name in parts)
    body = "".join(f'<section id="{_id(name)}"><h2>{name}</h2>{content}</section>' for name, content in parts.items())
    # "</script>" inside the JSON would end the element.
    safe = everything.replace("<", "\\u003c")
    head = (f'<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(title)}</title><style>{CSS}</style>")  # fmt: skip
    scripts = f'<script type="application/json" id="data">{safe}</script><script>{SCRIPT}</script>'
    return (f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head><body><h1>{escape(title)}</h1>'
            f"{_introduction(data)}<nav>{links}</nav>{body}{scripts}</body></html>\n")  # fmt: skip


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


def _row(*cards: str) -> str:
    return f'<div class="row">{"".join(cards)}</div>'


def _id(name: str) -> str:
    return name.lower().replace(" ", "-")


def _pictures(groups: Mapping[str, list[Picture]]) -> str:
    if not any(groups.values()):
        return sections.NOTHING
    parts = ['<p class="soft">By the mean OKS of the annotated people in a picture, 0 for those who were not found. '
             "The person's left is orange, right is blue; hidden joints are hollow. Predictions of nobody who is "
             f"annotated are drawn from a score of {DRAWN_SCORE:g} on.</p>"]  # fmt: skip
    for name, group in groups.items():
        if group:
            parts.append(f"<h3>The {name} pictures</h3>{_row(*map(_figure, group))}")
    return "".join(parts)


def _figure(picture: Picture) -> str:
    sides = "".join(f'<div><img src="{uri}" alt="{escape(picture.file)}, {name}"><span>{name}</span></div>'
                    for uri, name in ((picture.truth, "annotated"), (picture.prediction, "found")) if uri)  # fmt: skip
    shown = f'<div class="pair">{sides}</div>' if sides else '<p class="soft">The picture cannot be read.</p>'
    extra = f", {picture.extra} more predicted" if picture.extra else ""
    return (f'<figure class="card">{shown}<figcaption><b>{picture.score:.2f}</b> {escape(picture.file)}: '
            f"{picture.found} of {picture.people} found{extra}</figcaption></figure>")  # fmt: skip
