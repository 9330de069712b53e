"""Graphs with known answers, and people of rigid bones, for tests of what runs around a graph."""

import json
from dataclasses import replace

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from scipy.spatial.transform import Rotation

from anchorpose.core.poses import JointState
from anchorpose.motion.posebert.codec import WIDTH
from anchorpose.motion.posebert.kinematics import COUNT, to_joints
from anchorpose.motion.tracks import Tracks
from tests.motion.people import people_at

LENGTHS = np.array([0.1, 0.5, 0.18, 0.3, 0.28, 0.25, 0.42, 0.41, 0.28, 0.25, 0.42, 0.41])
FRAMES = 16


def echo(path, frames=FRAMES):
    """Writes a graph that gives each known frame its own rotations, and missing ones the mean of the known ones."""
    nodes = [
        helper.make_node("Slice", ["tokens", "from", "to", "axis"], ["own"]),
        helper.make_node("Cast", ["known"], ["weight"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["weight", "last"], ["share"]),
        helper.make_node("Mul", ["own", "share"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "one"], ["total"]),
        helper.make_node("ReduceSum", ["share", "one"], ["count"]),
        helper.make_node("Div", ["total", "count"], ["mean"]),
        helper.make_node("Unsqueeze", ["known", "last"], ["there"]),
        helper.make_node("Where", ["there", "own", "mean"], ["flat"]),
        helper.make_node("Reshape", ["flat", "shape"], ["rotations"]),
    ]
    constants = {"from": [WIDTH - 6 * COUNT], "to": [WIDTH], "axis": [2], "last": [-1], "one": [1],
                 "shape": [0, 0, COUNT, 6]}  # fmt: skip
    graph = helper.make_graph(
        nodes, "echo",
        [helper.make_tensor_value_info("tokens", TensorProto.FLOAT, ["b", frames, WIDTH]),
         helper.make_tensor_value_info("known", TensorProto.BOOL, ["b", frames])],
        [helper.make_tensor_value_info("rotations", TensorProto.FLOAT, ["b", frames, COUNT, 6])],
        [numpy_helper.from_array(np.array(v, np.int64), k) for k, v in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    told = {"posebert": "echo", "frames": frames}
    helper.set_model_props(model, {"anchorpose": json.dumps(told)})
    path.write_bytes(model.SerializeToString())
    return path


def rigid(frames, seed=0, lengths=LENGTHS, swing=0.3):
    """(frames, 13, 3) metres relative to the body centre: random segments that turn slowly, bones of fixed lengths."""
    rng = np.random.default_rng(seed)
    start = Rotation.random(COUNT, random_state=seed)
    speed = rng.normal(0, swing / 10, (COUNT, 3))
    turns = np.stack([(Rotation.from_rotvec(speed * i) * start).as_matrix() for i in range(frames)])
    return to_joints(turns, lengths)


def tracks_of(people, step=1 / 30, ids=None, unseen=()):
    """`Tracks` of (t, 13, 3) poses a person, NaN where missed, and of where these are seen.

    `unseen` are joints that are hidden in all frames.
    """
    frames = []
    for i in range(len(people[0])):
        here = [k for k, p in enumerate(people) if np.isfinite(p[i]).all()]
        poses = people_at([[k, 0, 4.0] for k in here])
        states = poses.joint_states.copy()
        states[:, list(unseen)] = JointState.HIDDEN
        joints = np.stack([people[k][i] for k in here]).astype(np.float32) if here else poses.joints3d
        numbers = np.array([k + 1 for k in here], np.int64) if ids is None else np.array([ids[k] for k in here])
        seen = poses.camera.project(joints + poses.translation[:, None]).astype(np.float32)
        frames.append(
            (i * step, replace(poses, joints2d=seen, joints3d=joints, joint_states=states, track_ids=numbers))
        )
    return Tracks.from_frames(frames)
