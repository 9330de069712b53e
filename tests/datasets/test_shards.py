"""Pictures inside tar files: the same pixels as beside them, in files that any tar opens."""

import os
import tarfile

import cv2
import numpy as np
import pytest

from anchorpose.core.errors import InputError
from anchorpose.datasets.shards import ShardWriter, read_picture


def encoded(seed, side=40):
    image = np.random.default_rng(seed).integers(0, 256, (side, side + 7, 3), np.uint8)
    return image, cv2.imencode(".png", image)[1].tobytes()


def test_shards_hold_the_pictures_and_stay_below_their_limit(tmp_path):
    pictures = {f"{i}.png": encoded(i) for i in range(9)}
    limit = 25_000
    writer = ShardWriter(tmp_path, "photographs", limit)
    names = {name: writer.add(name, content) for name, (_, content) in pictures.items()}
    writer.close()
    assert len(writer.paths) > 2
    assert sorted(tmp_path.iterdir()) == writer.paths
    assert all(path.stat().st_size <= limit for path in writer.paths)
    for name, (image, content) in pictures.items():
        np.testing.assert_array_equal(read_picture(tmp_path / names[name]), image)
        shard, inside = names[name].split("/")
        with tarfile.open(tmp_path / shard) as file:
            assert file.extractfile(inside).read() == content


def test_the_same_pictures_give_the_same_file(tmp_path):
    contents = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        writer = ShardWriter(tmp_path / name, "p", 1 << 20)
        writer.add("x.png", encoded(0)[1])
        writer.close()
        contents.append(writer.paths[0].read_bytes())
    assert contents[0] == contents[1]


def test_a_shard_written_anew_is_read_anew(tmp_path):
    for seed in range(2):
        writer = ShardWriter(tmp_path, "p", 1 << 20)
        for other in range(seed):
            writer.add(f"before{other}.png", encoded(7)[1])
        name = writer.add("x.png", encoded(seed)[1])
        writer.close()
        os.utime(writer.paths[0], ns=(seed, seed))
        np.testing.assert_array_equal(read_picture(tmp_path / name), encoded(seed)[0])


def test_a_picture_larger_than_a_shard_is_refused(tmp_path):
    with pytest.raises(InputError, match="which no shard of 10240 bytes holds; give larger shards"):
        ShardWriter(tmp_path, "p", 10240).add("x.png", bytes(10_000))


def test_missing_and_broken_pictures_are_named(tmp_path):
    writer = ShardWriter(tmp_path, "p", 1 << 20)
    writer.add("x.png", b"no picture")
    writer.close()
    shard = writer.paths[0]
    with pytest.raises(InputError, match=r"cannot read the photograph .*p-000\.tar/x\.png"):
        read_picture(shard / "x.png")
    with pytest.raises(InputError, match=r"found no y\.png in the shard .*p-000\.tar"):
        read_picture(shard / "y.png")
    with pytest.raises(InputError, match="cannot read the photograph"):
        read_picture(tmp_path / "q-000.tar" / "x.png")
    (tmp_path / "z.tar").write_bytes(b"no tar file at all")
    with pytest.raises(InputError, match=r"cannot read the shard .*z\.tar: it is no complete tar file"):
        read_picture(tmp_path / "z.tar" / "x.png")


def test_a_folder_may_be_called_like_a_tar_file(tmp_path):
    (tmp_path / "odd.tar").mkdir()
    image, content = encoded(3)
    (tmp_path / "odd.tar" / "x.png").write_bytes(content)
    np.testing.assert_array_equal(read_picture(tmp_path / "odd.tar" / "x.png"), image)
