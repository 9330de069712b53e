from __future__ import annotations

import numpy as np
import pytest

from anchorpose.app.edits import Edit, apply_edits
from anchorpose.core.errors import InputError
from anchorpose.motion.tracks import Tracks
from tests.app.scene import COUNT, RATE, frames


@pytest.fixture(scope="module")
def tracks() -> Tracks:
    return Tracks.from_frames((time, poses) for _, time, poses in frames())


def test_texts_go_there_and_back() -> None:
    for text in ("split 4@12.5", "swap 1,2@8.0", "merge 3,7", "split 10@3"):
        assert str(Edit.parse(text)) == text


@pytest.mark.parametrize("text", ["split 4", "split 4@-1", "swap 1@2", "merge 1,2@3", "merge a,b", "merge 1, 2",
                                  "cut 1@2", "", "split 4@1e3", "merge 1,2,3"])  # fmt: skip
def test_other_texts_are_told(text: str) -> None:
    with pytest.raises(InputError, match="wanted"):
        Edit.parse(text)


def test_edits_are_those_of_tracks_in_order(tracks: Tracks) -> None:
    edited = apply_edits(tracks, [Edit("split", "1@1.0"), Edit("swap", "2,3@2.0"), Edit("merge", "1,10")])
    assert [p.id for p in edited.people] == [1, 2, 3, 9]
    assert len(edited[1]) == COUNT
    late = tracks[2].times >= 2.0
    np.testing.assert_array_equal(edited[3].joints3d[-late.sum() :], tracks[2].joints3d[late])
    assert apply_edits(tracks, []) is tracks


def test_swapping_twice_and_splitting_and_merging_change_nothing(tracks: Tracks) -> None:
    for edits in ([Edit("swap", "1,3@1.5")] * 2, [Edit("split", "2@1.7"), Edit("merge", "2,10")]):
        same = apply_edits(tracks, edits)
        for a, b in zip(same.people, tracks.people, strict=True):
            np.testing.assert_array_equal(a.joints3d, b.joints3d)
            np.testing.assert_array_equal(a.times, b.times)


def test_what_cannot_be_done_is_told_with_the_edit(tracks: Tracks) -> None:
    for kind, text, words in (("merge", "1,2", "both in"), ("split", "7@1", "no track 7"),
                              ("split", f"1@{COUNT / RATE}", "wanted a time"), ("swap", "1,1@1", "twice")):  # fmt: skip
        with pytest.raises(InputError, match=f"{kind} {text}: .*{words}"):
            apply_edits(tracks, [Edit(kind, text)])
