import pickle
import struct

import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.datasets.archives import Archive
from anchorpose.datasets.pickles import read_numbers

ARCHIVE = Archive("Numbers", "example.org", "nobody", "none", ())
ARRAYS = {"floats": np.arange(6.0).reshape(2, 3), "flags": np.array([True, False]), "scalar": np.float32(2.5),
          "names": np.array(["m", "f"]), "lists": [np.zeros(3), np.ones((2, 2))], "text": "walk", "none": None,
          "turned": np.asfortranarray(np.arange(4).reshape(2, 2))}  # fmt: skip


def written_by_python_2():
    """What Python 2's numpy writes for {"a": array([1.5, -2])}: byte strings and the module's old name."""
    dtype = b"cnumpy\ndtype\nU\x02f8K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    state = b"(K\x01K\x02\x85" + dtype + b"\x89U\x10" + struct.pack("<2d", 1.5, -2) + b"tb"
    return b"\x80\x02}U\x01a" + array + state + b"s."


@pytest.mark.parametrize("protocol", range(5))
def test_arrays_come_back(tmp_path, protocol):
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(ARRAYS, protocol=protocol))
    read = read_numbers(path, ARCHIVE)
    assert set(read) == set(ARRAYS)
    for name in ("floats", "flags", "scalar", "names", "turned"):
        np.testing.assert_array_equal(read[name], ARRAYS[name])
    np.testing.assert_array_equal(read["lists"][1], np.ones((2, 2)))


def test_python_2s_pickles_come_back(tmp_path):
    (tmp_path / "a.pkl").write_bytes(written_by_python_2())
    np.testing.assert_array_equal(read_numbers(tmp_path / "a.pkl", ARCHIVE)["a"], [1.5, -2])


@pytest.mark.parametrize("content", [
    b"cos\nsystem\n(S'touch ran'\ntR.", b"c__builtin__\neval\n(S'1'\ntR.", b"cnumpy\nload\n(S'a'\ntR.",
    b"cnumpy.core.multiarray\nfromfile\n(S'a'\ntR.", b"\x80\x04\x8c\x08builtins\x8c\x07getattr\x93.",
    b"c_codecs\nencode\n(S'a'\nS'rot13'\ntR.",
])  # fmt: skip
def test_anything_but_numbers_is_refused(tmp_path, content):
    (tmp_path / "a.pkl").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.pkl (calls|decodes) .*wanted"):
        read_numbers(tmp_path / "a.pkl", ARCHIVE)


@pytest.mark.parametrize(("content", "message"), [(b"", "not a whole pickle"), (b"\x80\x04N.", "holds a NoneType"),
                                                  (b"junk", "not a whole pickle"), (None, "cannot read")])  # fmt: skip
def test_broken_files_are_named(tmp_path, content, message):
    if content is not None:
        (tmp_path / "a.pkl").write_bytes(content)
    with pytest.raises(InputError, match=message + r".*get it from example\.org"):
        read_numbers(tmp_path / "a.pkl", ARCHIVE)
