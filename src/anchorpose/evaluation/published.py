"""Our figures and the published ones in one table, as papers print it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from anchorpose.core.errors import InputError
from anchorpose.evaluation.protocols import Table, format_table
from anchorpose.evaluation.published2d import PUBLISHED2D, Published
from anchorpose.evaluation.published3d import PUBLISHED3D

_KINDS = ("head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_H36M = ("MPJPE", "PA-MPJPE", "rigid MPJPE")
_COCO = ("AP", "AP50", "AP75", "AR")
Columns = Mapping[str, Mapping[str, str]]
"""Name of a row, empty where there is one -> heading of a column -> name of the figure."""
System = tuple[str, Mapping[str, float | None]]
"""What a row is called, and its figures."""


def _same(*names: str) -> dict[str, dict[str, str]]:
    return {"": {name: name for name in names}}


COLUMNS: Mapping[str, Columns] = {
    "coco": _same(*_COCO) | {"12 body joints": {name: f"body_{name}" for name in _COCO}},
    "lsp": {"": {kind.title(): f"PCK@0.2 {kind}" for kind in _KINDS}
                | {"Mean": "PCK@0.2", "12 body joints": "body_PCK@0.2"}},
    "mpii-single": {"": {kind.title(): kind for kind in _KINDS}
                        | {"Mean": "PCKh@0.5", "Mean@1": "PCKh@1", "AUC": "AUC"}},
    "mpii-multi": {"": {kind.title(): kind for kind in _KINDS} | {"Mean AP": "AP", "AP@1": "AP@1"}},
    "crowdpose": {"": {"AP": "AP", "AP50": "AP50", "AP75": "AP75", "AR": "AR", "AP easy": "easy",
                       "AP medium": "medium", "AP hard": "hard"}},
    "posetrack": {figure: {kind.title(): f"{figure} {kind}" for kind in _KINDS} | {"Total": figure}
                  for figure in ("AP", "MOTA")},
    "h36m-p1": _same(*_H36M),
    "h36m-p2": {"": {name: name for name in _H36M} | {"MPJPE of 6 actions": "MPJPE mean of 6 actions",
                                                      "2D error (px)": "2D error"}},
    "h36m-p3": _same(*_H36M[1:]),
    "mupots": _same("3DPCK all", "3DPCK matched", "AUC all", "AUC matched", "MPJPE matched", "detected",
                    "3DPCK all visible", "3DPCK all hidden"),
    "3dhp": _same("3DPCK", "AUC", "MPJPE", "PA-MPJPE"),
    "3dpw": _same("MPJPE", "PA-MPJPE", "acceleration"),
}  # fmt: skip
"""The tables as they are published."""


def published(protocol: str) -> tuple[Published, ...]:
    """The rows of one protocol, as their sources list them.

    Raises:
        InputError: there is no such protocol.
    """
    if protocol not in COLUMNS:
        raise InputError(f"found the protocol {protocol!r}, wanted one of {', '.join(COLUMNS)}; choose one")
    return tuple(row for row in (*PUBLISHED2D, *PUBLISHED3D) if row.protocol == protocol)


def with_published(protocol: str, ours: Mapping[str, Table]) -> tuple[list[System], list[str]]:
    """Our rows and then the published ones, whose names say so and give the number of their source (from 1).

    Args:
        protocol, ours: see `format_beside`.

    Returns:
        The rows, and the sources.

    Raises:
        InputError: there is no such protocol.
    """
    rows = published(protocol)
    sources = list(dict.fromkeys(row.source for row in rows))
    names = [*ours, *(f"{row.system} (published [{sources.index(row.source) + 1}])" for row in rows)]
    return list(zip(names, [*ours.values(), *(row.figures for row in rows)], strict=True)), sources


def format_beside(protocol: str, ours: Mapping[str, Table]) -> str:
    """The table of a protocol as papers print it: a row a system, ours first, published ones marked and their sources
    below; then what our tables have for each action, activity, scene or video; then counts.

    Args:
        protocol: one of `COLUMNS`.
        ours: name of a system -> its figures, of the protocol's `evaluate_...`.

    Raises:
        InputError: there is no such protocol.
    """
    systems, sources = with_published(protocol, ours)
    decimals = 3 if protocol in ("coco", "lsp") else 1
    parts = []
    for figure, columns in COLUMNS[protocol].items():
        measured = [(name, own) for name, own in systems if name in ours or set(columns.values()) & set(own)]
        parts.append(_format(figure, columns, measured, decimals))
    parts += [f"[{i + 1}] {source}" for i, source in enumerate(sources)]
    for name, table in ours.items():
        if detail := by_row(protocol, table):
            parts += ["", f"{name}:", format_table(detail, decimals)]
        if counts := [f"{figure} {value}" for figure, value in table.items() if isinstance(value, int)]:
            parts += ["", f"{name}: {', '.join(counts)}"]
    return "\n".join(parts)


def _format(figure: str, columns: Mapping[str, str], systems: Sequence[System],
            decimals: int) -> str:  # fmt: skip
    names = [f"{figure}: {system}" if figure else system for system, _ in systems]
    return format_table({heading: {name: own.get(key) for name, (_, own) in zip(names, systems, strict=True)}
                         for heading, key in columns.items()}, decimals)  # fmt: skip


def by_row(protocol: str, table: Table) -> dict[str, Table]:
    """Figures such as `MPJPE Directions`, which stand below the main table: columns by their first part, rows by the
    rest."""
    figures = {key for columns in COLUMNS[protocol].values() for key in columns.values()}
    result: dict[str, Table] = {}
    for name, value in table.items():
        heads = [figure for figure in figures if name.startswith(f"{figure} ") and name not in figures]
        if heads:
            head = max(heads, key=len)
            result.setdefault(head, {})[name[len(head) + 1 :]] = value
    return result
