// From the service's JSON to a clip as scene.js draws it.

import { STATES, UNKNOWN } from "./scene.js";

// Takes frames one by one, so that a long video is never held as JSON.
export class ClipBuilder {
  constructor(skeleton, camera, figure) {
    this.skeleton = skeleton;
    this.camera = camera;
    this.figure = figure;
    this.times = [];
    this.people = new Map();
  }

  add(time, people) {
    const frame = this.times.push(time) - 1;
    people.forEach((person, i) => {
      const tracked = person.track_id !== null, id = tracked ? person.track_id : i + 1;
      if (!this.people.has(id)) this.people.set(id, { id, hue: tracked ? id : i, found: [] });
      this.people.get(id).found.push([frame, packed(person)]);
    });
  }

  build() {
    const { skeleton, camera, figure } = this, sides = figure.sides;
    const joints = skeleton.joints.map((name) => name.replaceAll("_", " "));
    const torso = joints.map((name, j) => (/ (hip|shoulder)$/.test(name) ? j : -1)).filter((j) => j >= 0);
    const links = skeleton.name === figure.skeleton ? figure.links : bones(skeleton);
    const people = [...this.people.values()].sort((a, b) => a.id - b.id).map((one) => this.person(one, joints.length));
    return {
      times: this.times, joints, links, sides, people, torso: torso.length ? torso : [0],
      width: camera.width, height: camera.height, focal: [camera.fx, camera.fy, camera.cx, camera.cy],
      assumed: camera.assumed, step3d: 1, step2d: 1,
    };
  }

  person({ id, hue, found }, J) {
    const T = this.times.length, colours = this.figure.people;
    const person = {
      id, colour: colours[hue % colours.length], off: false, states: new Uint8Array(T * J),
      joints3d: new Float32Array(T * J * 3).fill(UNKNOWN), joints2d: new Float32Array(T * J * 2).fill(UNKNOWN),
      scores: new Float32Array(T).fill(NaN), depths: new Float32Array(T).fill(NaN),
    };
    for (const [frame, one] of found) {
      person.joints3d.set(one.joints3d, frame * J * 3);
      person.joints2d.set(one.joints2d, frame * J * 2);
      person.states.set(one.states, frame * J);
      person.scores[frame] = one.score;
      person.depths[frame] = one.depth;
    }
    return person;
  }
}

// One picture's people.
export function clipOf(poses, figure) {
  const builder = new ClipBuilder(poses.skeleton, poses.camera, figure);
  builder.add(0, poses.people);
  return builder.build();
}

// A video's people from the lines of its results; those of frames that are cut off are left out.
export async function readClip(stream, figure) {
  let builder = null, rest = "";
  const take = (line) => {
    if (!line) return;
    const entry = JSON.parse(line);
    if (builder === null) builder = new ClipBuilder(entry.skeleton, entry.camera, figure);
    else builder.add(entry.time, entry.people);
  };
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const lines = (rest + part.value).split("\n");
    rest = lines.pop();
    lines.forEach(take);
  }
  return builder && builder.build();
}

function packed(person) {
  const move = person.translation, known = (v) => v.every((x) => x !== null);
  const placed = known(move);
  return {
    joints3d: Float32Array.from(person.joints3d.flatMap((p) =>
      (placed && known(p) ? p.map((x, i) => x + move[i]) : [UNKNOWN, UNKNOWN, UNKNOWN]))),
    joints2d: Float32Array.from(person.joints2d.flatMap((p) => (known(p) ? p : [UNKNOWN, UNKNOWN]))),
    states: Uint8Array.from(person.joint_states, (name) => STATES.indexOf(name)),
    score: person.score === null ? NaN : person.score,
    depth: placed ? move[2] : NaN,
  };
}

// Of a skeleton that the service does not draw itself.
function bones({ joints, parents }) {
  return Object.entries(parents).map(([child, parent]) => {
    const side = child.split("_")[0];
    return [[joints.indexOf(parent)], [joints.indexOf(child)], side === "left" || side === "right" ? side : "middle"];
  });
}
