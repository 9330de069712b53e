"""Samples of miniature archives as benchmarks."""

from dataclasses import replace

import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.core.skeleton import CROWDPOSE14, MPII16, POSETRACK17
from anchorpose.datasets.crowdpose import read_crowdpose
from anchorpose.datasets.mpii import read_mpii
from anchorpose.datasets.posetrack import read_posetrack
from anchorpose.datasets.samples import Sample
from anchorpose.datasets.truth import benchmark_of
from anchorpose.evaluation.truth import UNTRACKED
from tests.datasets import test_crowdpose, test_mpii, test_posetrack

mpii_archive = test_mpii.archive


def test_mpii(mpii_archive):
    samples = read_mpii(mpii_archive)
    benchmark = benchmark_of(samples, mpii_archive)
    assert benchmark.annotations.skeleton == MPII16
    assert [i.file_name for i in benchmark.annotations.images][:2] == ["images/015601864.jpg", "images/000000001.jpg"]
    assert [i.id for i in benchmark.annotations.images] == [0, 1, 4]
    # The head box is 30 x 40 pixels, so its diagonal is 50 and the head size 0.6 of that.
    np.testing.assert_allclose(benchmark.head_sizes[0], [30.0, 0.6 * np.hypot(2, 2)], rtol=1e-5)
    assert benchmark.separated[0].tolist() == [True, True]
    truth = benchmark.annotations.people[0]
    assert truth.ignore.tolist() == [False, True]
    assert truth.visible.sum(axis=1).tolist() == [16, 0]
    np.testing.assert_allclose(truth.joints[0], samples[0].people[0].annotation.joints2d)
    assert np.isfinite(truth.joints).all()


def test_crowdpose_takes_the_index_and_the_area(tmp_path):
    data = test_crowdpose.content()
    data["images"].reverse()
    test_crowdpose.write(tmp_path, data)
    benchmark = benchmark_of(read_crowdpose(tmp_path), tmp_path)
    assert benchmark.annotations.skeleton == CROWDPOSE14
    # By rising id, whatever the order of the file.
    assert [i.id for i in benchmark.annotations.images] == [100, 101]
    assert benchmark.crowd_indices.tolist() == [0.08, 0.58]
    np.testing.assert_allclose(benchmark.annotations.people[0].areas, 0.53 * 100 * 300, rtol=1e-6)
    assert np.isnan(np.concatenate(benchmark.head_sizes)).all()
    assert set(np.concatenate(benchmark.track_ids).tolist()) == {UNTRACKED}


def test_posetrack_takes_tracks_frames_and_regions(tmp_path):
    data = test_posetrack.video(342)
    data["images"][1] |= {"ignore_regions_x": [[0, 50, 50, 0]], "ignore_regions_y": [[10, 10, 90, 90]]}
    benchmark = benchmark_of(read_posetrack(test_posetrack.write(tmp_path, {342: data})), tmp_path)
    assert benchmark.annotations.skeleton == POSETRACK17
    # The ignore region is no person.
    assert [len(t) for t in benchmark.annotations.people] == [2, 2]
    assert [ids.tolist() for ids in benchmark.track_ids] == [[7, 6], [7, 6]]
    assert benchmark.frames.tolist() == [1, 2]
    assert set(benchmark.sequences) == {"000342_mpii_test"}
    assert [len(r) for r in benchmark.ignore_regions] == [1, 0]
    np.testing.assert_allclose(benchmark.head_sizes[0], 30.0)


def test_only_some_pictures(tmp_path):
    data = test_posetrack.video(342, frames=4)
    benchmark = benchmark_of(read_posetrack(test_posetrack.write(tmp_path, {342: data})), tmp_path)
    name = benchmark.annotations.images[1].file_name
    part = benchmark.only([name])
    assert [i.file_name for i in part.annotations.images] == [name]
    assert (len(part), part.frames.tolist(), len(part.head_sizes)) == (1, [2], 1)
    np.testing.assert_array_equal(part.annotations.people[0].joints, benchmark.annotations.people[1].joints)
    with pytest.raises(InputError, match=r"found head_sizes of 0 people in 0 images, wanted those of 2 in 1"):
        replace(part, head_sizes=())
    with pytest.raises(InputError, match=r"found 0 sequences, wanted one for each of 1"):
        replace(part, sequences=())


def test_what_cannot_be_evaluated(tmp_path, mpii_archive):
    samples = read_mpii(mpii_archive)
    with pytest.raises(InputError, match="found no annotated picture in"):
        benchmark_of([], tmp_path)
    with pytest.raises(InputError, match="wanted all pictures below one folder"):
        benchmark_of(samples, mpii_archive / "images" / "deeper")
    with pytest.raises(InputError, match="has 6 samples of 3 ids, wanted each once"):
        benchmark_of(samples * 2, mpii_archive)
    with pytest.raises(InputError, match="has 2 samples of 1 pictures"):
        benchmark_of([samples[0], replace(samples[0], id=9)], mpii_archive)
    with pytest.raises(InputError, match="has no annotated person, wanted people in the joints"):
        benchmark_of([Sample(tmp_path / "a.jpg", ())], tmp_path)
    # Two data sets in one.
    test_crowdpose.write(tmp_path, test_crowdpose.content())
    crowd = [replace(s, image=mpii_archive / s.image.name) for s in read_crowdpose(tmp_path)]
    with pytest.raises(InputError, match="has CROWDPOSE14, MPII16, wanted"):
        benchmark_of([*samples, *crowd], mpii_archive)
