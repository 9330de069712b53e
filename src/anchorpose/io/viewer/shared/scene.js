// The 3D scene on a 2D canvas, and the 2D bodies, for the page of a clip and for that of the service. Metres in the
// camera frame: x right, y down, z forward; canvases have y down as well, so nothing changes its sign.
// A clip is { times, joints, links, torso, sides, width, height, focal, step3d, step2d, people }, a person
// { id, colour, joints3d, joints2d, states, off }: arrays of all frames, joints in steps, UNKNOWN where missing.

export const UNKNOWN = -32768;
export const STATES = ["missing", "visible", "hidden", "outside"];
const VISIBLE = 1, NEAR = 0.05;

export function unpack(text, Kind) {
  return new Kind(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
}

// The mean of some joints of one person in one frame, in 2 or 3 numbers; null where one of them is unknown.
function meanOf(values, step, frame, count, joints, width) {
  const sum = new Array(width).fill(0);
  for (const joint of joints) {
    const at = (frame * count + joint) * width;
    if (values[at] === UNKNOWN) return null;
    for (let i = 0; i < width; i++) sum[i] += (values[at + i] * step) / joints.length;
  }
  return sum;
}

function quantile(values, share) {
  const sorted = Float64Array.from(values).sort();
  return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] : 0;
}

// Bounds that a few wrong frames do not stretch, and the height of the floor.
export function measure(clip) {
  const axes = [[], [], []], lowest = [];
  const every = Math.max(1, Math.floor(clip.times.length / 500)), J = clip.joints.length;
  for (const person of clip.people) {
    for (let k = 0; k < clip.times.length; k += every) {
      let low = -Infinity;
      for (let j = 0; j < J; j++) {
        const at = (k * J + j) * 3;
        if (person.joints3d[at] === UNKNOWN) continue;
        for (let i = 0; i < 3; i++) axes[i].push(person.joints3d[at + i] * clip.step3d);
        low = Math.max(low, person.joints3d[at + 1] * clip.step3d);
      }
      if (low > -Infinity) lowest.push(low);
    }
  }
  if (!lowest.length) return { lower: [-1, -1, 2], upper: [1, 1, 4], floor: 1 };
  const floor = quantile(lowest, 0.95);
  const lower = axes.map((a) => quantile(a, 0.01)), upper = axes.map((a) => quantile(a, 0.99));
  upper[1] = Math.max(upper[1], floor);
  return { lower, upper, floor };
}

export class View {
  constructor(bounds) {
    this.bounds = bounds;
    this.reset(1, 1);
  }

  reset(width, height) {
    this.yaw = 0.55;
    this.pitch = -0.3;
    this.target = this.bounds.lower.map((low, i) => (low + this.bounds.upper[i]) / 2);
    this.fit(width, height);
  }

  fit(width, height) {
    this.size(width, height);
    this.distance = 1;
    for (let turn = 0; turn < 60 && !this.holds(); turn++) this.distance *= 1.12;
  }

  size(width, height) {
    this.width = width;
    this.height = height;
    this.focal = 1.5 * Math.min(width, height);
  }

  holds() {
    const { lower, upper } = this.bounds;
    for (let corner = 0; corner < 8; corner++) {
      const p = this.project([0, 1, 2].map((i) => ((corner >> i) & 1 ? upper[i] : lower[i])));
      if (p[2] < 0.5 || Math.abs(p[0] - this.width / 2) > this.width * 0.45) return false;
      if (Math.abs(p[1] - this.height / 2) > this.height * 0.42) return false;
    }
    return true;
  }

  look(p) {
    const x = p[0] - this.target[0], y = p[1] - this.target[1], z = p[2] - this.target[2];
    const ca = Math.cos(this.yaw), sa = Math.sin(this.yaw), cb = Math.cos(this.pitch), sb = Math.sin(this.pitch);
    const deep = -sa * x + ca * z;
    return [ca * x + sa * z, cb * y + sb * deep, -sb * y + cb * deep + this.distance];
  }

  flat(seen) {
    const z = Math.max(seen[2], NEAR);
    return [this.width / 2 + (seen[0] / z) * this.focal, this.height / 2 + (seen[1] / z) * this.focal, seen[2]];
  }

  project(p) {
    return this.flat(this.look(p));
  }

  // A line in pixels, cut where it passes behind the viewer.
  line(a, b) {
    let p = this.look(a), q = this.look(b);
    if (p[2] < NEAR && q[2] < NEAR) return null;
    const cut = (from, to) => from.map((v, i) => v + ((to[i] - v) * (NEAR - from[2])) / (to[2] - from[2]));
    if (p[2] < NEAR) p = cut(p, q);
    else if (q[2] < NEAR) q = cut(q, p);
    return [this.flat(p), this.flat(q)];
  }

  turn(dx, dy) {
    this.yaw += dx;
    this.pitch = Math.max(-1.5, Math.min(0.35, this.pitch + dy));
  }

  shift(dx, dy) {
    const scale = this.distance / this.focal, x = -dx * scale, y = -dy * scale;
    const ca = Math.cos(this.yaw), sa = Math.sin(this.yaw), cb = Math.cos(this.pitch), sb = Math.sin(this.pitch);
    this.target[0] += ca * x + sa * sb * y;
    this.target[1] += cb * y;
    this.target[2] += sa * x - ca * sb * y;
  }

  zoom(factor) {
    this.distance = Math.max(0.4, Math.min(500, this.distance * factor));
  }
}

function stroke(ink, a, b, colour, width, dashed) {
  ink.strokeStyle = colour;
  ink.lineWidth = width;
  ink.setLineDash(dashed ? [width * 1.6, width * 1.6] : []);
  ink.lineCap = dashed ? "butt" : "round";
  ink.beginPath();
  ink.moveTo(a[0], a[1]);
  ink.lineTo(b[0], b[1]);
  ink.stroke();
  ink.setLineDash([]);
}

function dot(ink, p, radius, colour, rim, hollow) {
  ink.beginPath();
  ink.arc(p[0], p[1], radius, 0, 2 * Math.PI);
  ink.fillStyle = hollow || colour;
  ink.fill();
  ink.lineWidth = Math.max(1, radius * (hollow ? 0.5 : 0.3));
  ink.strokeStyle = hollow ? colour : rim;
  ink.stroke();
}

function drawFloor(ink, view, bounds, look) {
  const { lower, upper, floor } = bounds;
  const reach = Math.max(upper[0] - lower[0], upper[2] - lower[2]);
  const square = [1, 5, 10, 50].find((s) => reach / s < 24) || 100;
  const from = [0, 2].map((i) => Math.floor(lower[i] / square - 0.75) * square);
  const to = [0, 2].map((i) => Math.ceil(upper[i] / square + 0.75) * square);
  const line = (a, b) => {
    const ends = view.line(a, b);
    if (ends) stroke(ink, ends[0], ends[1], look.grid, 1, false);
  };
  for (let x = from[0]; x <= to[0] + 1e-6; x += square) line([x, floor, from[1]], [x, floor, to[1]]);
  for (let z = from[1]; z <= to[1] + 1e-6; z += square) line([from[0], floor, z], [to[0], floor, z]);
  return square;
}

// The camera that took the picture: its centre and the corners of what it sees.
function drawCamera(ink, view, clip, look) {
  const deep = 0.45, [fx, fy, cx, cy] = clip.focal;
  const corners = [[0, 0], [clip.width, 0], [clip.width, clip.height], [0, clip.height]]
    .map(([x, y]) => [((x - cx) / fx) * deep, ((y - cy) / fy) * deep, deep]);
  const line = (a, b) => {
    const ends = view.line(a, b);
    if (ends) stroke(ink, ends[0], ends[1], look.soft, 1.2, false);
  };
  corners.forEach((corner, i) => {
    line([0, 0, 0], corner);
    line(corner, corners[(i + 1) % 4]);
  });
}

function drawTrail(ink, view, clip, person, frame, floor) {
  const J = clip.joints.length, torso = clip.torso, first = Math.max(0, frame - 60);
  let before = null;
  for (let k = first; k <= frame; k++) {
    const at = meanOf(person.joints3d, clip.step3d, k, J, torso, 3);
    const here = at && [at[0], floor, at[2]];
    if (before && here) {
      const ends = view.line(before, here);
      ink.globalAlpha = 0.15 + (0.7 * (k - first)) / (frame - first);
      if (ends) stroke(ink, ends[0], ends[1], person.colour, 2.5, false);
    }
    before = here;
  }
  ink.globalAlpha = 1;
}

// A person's number above a place on the canvas.
export function drawTag(ink, at, words, colour, look) {
  ink.font = "600 13px system-ui, sans-serif";
  ink.textAlign = "center";
  const half = ink.measureText(words).width / 2 + 5, y = at[1] - 8;
  ink.fillStyle = look.rim;
  ink.beginPath();
  ink.roundRect(at[0] - half, y - 15, 2 * half, 20, 5);
  ink.fill();
  ink.fillStyle = colour;
  ink.fillText(words, at[0], y);
  ink.textAlign = "left";
}

// Draws one frame; returns the joints as drawn, for hovering.
export function drawScene(ink, view, clip, frame, bounds, look, trails) {
  ink.clearRect(0, 0, view.width, view.height);
  const square = drawFloor(ink, view, bounds, look), J = clip.joints.length, strokes = [], joints = [], tags = [];
  drawCamera(ink, view, clip, look);
  const width = (z, metres) => Math.max(1, Math.min((metres * view.focal) / Math.max(z, NEAR), view.height / 22));
  for (const person of clip.people) {
    if (person.off) continue;
    const at = (group) => meanOf(person.joints3d, clip.step3d, frame, J, group, 3);
    const seen = (group) => group.every((j) => person.states[frame * J + j] === VISIBLE);
    if (trails) drawTrail(ink, view, clip, person, frame, bounds.floor);
    for (const [start, end, side] of clip.links) {
      const a = at(start), b = at(end), ends = a && b && view.line(a, b);
      if (!ends) continue;
      const fallen = view.line([a[0], bounds.floor, a[2]], [b[0], bounds.floor, b[2]]);
      const deep = (ends[0][2] + ends[1][2]) / 2, wide = width(deep, 0.042), shown = seen(start) && seen(end);
      if (fallen) stroke(ink, fallen[0], fallen[1], look.shadow, wide * 0.9, false);
      strokes.push([deep, () => {
        if (shown) stroke(ink, ends[0], ends[1], look.rim, wide * 1.35, false);
        else ink.globalAlpha = 0.6;
        stroke(ink, ends[0], ends[1], clip.sides[side], shown ? wide : wide * 0.6, !shown);
        ink.globalAlpha = 1;
      }]);
    }
    let top = null;
    for (let j = 0; j < J; j++) {
      const p = at([j]), flat = p && view.project(p);
      if (!flat || flat[2] < NEAR) continue;
      const state = person.states[frame * J + j], radius = width(flat[2], 0.03);
      joints.push({ flat, p, joint: j, name: clip.joints[j], id: person.id, state: STATES[state], radius });
      strokes.push([flat[2] - 0.2, () =>
        dot(ink, flat, radius, person.colour, look.rim, state === VISIBLE ? null : look.paper)]);
      if (!top || flat[1] < top[1]) top = flat;
    }
    if (top) tags.push([top, `#${person.id}`, person.colour]);
  }
  strokes.sort((a, b) => b[0] - a[0]).forEach((item) => item[1]());
  for (const [at, words, colour] of tags) drawTag(ink, [at[0], at[1] - width(at[2], 0.05)], words, colour, look);
  ink.font = "13px system-ui, sans-serif";
  ink.fillStyle = look.soft;
  ink.fillText(`grid ${square} m`, 12, view.height - 12);
  return joints;
}

// The 2D bodies inside the outline of the picture.
export function drawPicture(ink, width, height, clip, frame, look) {
  ink.clearRect(0, 0, width, height);
  const scale = Math.min((width - 24) / clip.width, (height - 24) / clip.height);
  const left = (width - clip.width * scale) / 2, top = (height - clip.height * scale) / 2;
  ink.fillStyle = look.paper;
  ink.fillRect(left, top, clip.width * scale, clip.height * scale);
  ink.strokeStyle = look.grid;
  ink.lineWidth = 1;
  ink.strokeRect(left, top, clip.width * scale, clip.height * scale);
  drawBodies(ink, clip, frame, look, (p) => [left + p[0] * scale, top + p[1] * scale]);
}

// The 2D bodies of one frame; `place` takes a pixel of the picture to the canvas. Returns the joints as drawn.
export function drawBodies(ink, clip, frame, look, place) {
  const J = clip.joints.length, joints = [];
  for (const person of clip.people) {
    if (person.off) continue;
    const at = (group) => {
      const p = meanOf(person.joints2d, clip.step2d, frame, J, group, 2);
      return p && place(p);
    };
    const points = clip.joints.map((_, j) => at([j])), known = points.filter(Boolean);
    const extent = (i) => (known.length ? Math.max(...known.map((p) => p[i])) - Math.min(...known.map((p) => p[i])) : 0);
    const wide = Math.max(1.2, Math.min(6, Math.hypot(extent(0), extent(1)) / 40));
    for (const [start, end, side] of clip.links) {
      const a = at(start), b = at(end);
      if (!a || !b) continue;
      const seen = [...start, ...end].every((j) => person.states[frame * J + j] === VISIBLE);
      if (seen) stroke(ink, a, b, look.rim, wide * 1.5, false);
      else ink.globalAlpha = look.hidden || 0.6;
      stroke(ink, a, b, clip.sides[side], seen ? wide : wide * 0.7, !seen);
      ink.globalAlpha = 1;
    }
    points.forEach((flat, j) => {
      if (!flat) return;
      const state = person.states[frame * J + j];
      dot(ink, flat, wide * 0.9, person.colour, look.rim, state === VISIBLE ? null : look.paper);
      const p = meanOf(person.joints3d, clip.step3d, frame, J, [j], 3);
      joints.push({ flat, p, joint: j, name: clip.joints[j], id: person.id, state: STATES[state], radius: wide });
    });
  }
  return joints;
}
