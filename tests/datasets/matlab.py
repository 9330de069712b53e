"""MATLAB files as MATLAB itself lays them out, for miniature archives."""

import numpy as np

EMPTY = np.zeros((0, 0))


def structs(records):
    """A 1 x n struct array: all structs have the fields of all records, empty where a record lacks one."""
    names = list(dict.fromkeys(name for record in records for name in record))
    array = np.empty((1, len(records)), dtype=[(name, object) for name in names])
    for i, record in enumerate(records):
        for name in names:
            array[name][0, i] = record.get(name, EMPTY)
    return array


def struct(**fields):
    """A 1 x 1 struct."""
    return structs([fields])


def cells(values):
    """An n x 1 cell array."""
    array = np.empty((len(values), 1), dtype=object)
    for i, value in enumerate(values):
        array[i, 0] = value
    return array
