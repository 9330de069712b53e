// The picture with the people drawn in, and beside it the people in 3D.

import { View, drawBodies, drawScene, drawTag, measure } from "./scene.js";
import { attachOrbit, nearest, showTip, sized } from "./orbit.js";

const MOST_MARGIN = 0.4; // of the longer side, for joints outside of the picture
const ON_PICTURE = { rim: "#1c2026", paper: "#1c2026", hidden: 0.95 };
const $ = (id) => document.getElementById(id);

export class Stage {
  constructor() {
    this.view = new View({ lower: [-1, -1, 2], upper: [1, 1, 4], floor: 1 });
    this.clip = this.bounds = this.image = this.pointed = null;
    this.frame = 0;
    this.drawn = { flat: [], space: [] };
    this.asked = false;
    this.connect();
    this.readColours();
  }

  // A picture (anything that a canvas draws), or null where the film is shown; the 3D view goes to the new people.
  show(clip, image) {
    this.clip = clip;
    this.image = image;
    this.inside = false;
    this.frame = 0;
    this.bounds = measure(clip);
    this.view.bounds = this.bounds;
    this.tell();
    this.reset();
  }

  // The next picture of a stream: the view stays, the floor follows slowly, and the picture keeps its size.
  next(clip, image) {
    const before = this.clip, there = measure(clip), glide = (a, b) => a + (b - a) * 0.1;
    if (!before || !before.people.length) this.show(clip, image);
    this.inside = true;
    this.clip = clip;
    this.image = image;
    if (clip.people.length) {
      this.bounds.floor = glide(this.bounds.floor, there.floor);
      for (const end of ["lower", "upper"]) this.bounds[end] = this.bounds[end].map((v, i) => glide(v, there[end][i]));
    }
    this.view.bounds = this.bounds;
    this.tell();
    this.redraw();
  }

  // A frame of a clip.
  seek(frame) {
    if (frame === this.frame) return;
    this.frame = frame;
    this.redraw();
  }

  reset() {
    const box = $("scene").getBoundingClientRect();
    this.view.reset(Math.max(box.width, 1), Math.max(box.height, 1));
    this.redraw();
  }

  tell() {
    $("nobody").hidden = this.clip.people.length > 0;
    for (const side of ["left", "right"]) {
      document.querySelector(`#legend .${side}`).style.setProperty("--own", this.clip.sides[side]);
    }
  }

  redraw() {
    if (this.asked || !this.clip) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      this.drawSpace();
      this.drawFlat();
    });
  }

  drawSpace() {
    const [ink, width, height] = sized($("scene"));
    this.view.size(width, height);
    const trails = this.clip.times.length > 1;
    this.drawn.space = drawScene(ink, this.view, this.clip, this.frame, this.bounds, this.look, trails);
    this.ring(ink, this.drawn.space);
  }

  drawFlat() {
    const [ink, width, height] = sized($("picture")), { clip, image } = this;
    const [left, top, right, bottom] = image && !this.inside ? margins(clip) : [0, 0, 0, 0];
    const scale = Math.min(width / (clip.width + left + right), height / (clip.height + top + bottom));
    const x = (width - (clip.width - left + right) * scale) / 2, y = (height - (clip.height - top + bottom) * scale) / 2;
    const place = (p) => [x + p[0] * scale, y + p[1] * scale];
    ink.clearRect(0, 0, width, height);
    if (image) {
      if (left + top + right + bottom > 0) {
        ink.fillStyle = this.look.margin;
        ink.fillRect(x - left * scale, y - top * scale, (clip.width + left + right) * scale,
          (clip.height + top + bottom) * scale);
      }
      ink.drawImage(image, x, y, clip.width * scale, clip.height * scale);
      this.drawn.flat = drawBodies(ink, clip, this.frame, ON_PICTURE, place);
      for (const person of clip.people) if (!person.off) this.tag(ink, person);
    } else { // the film has the people drawn in
      const nothing = document.createElement("canvas").getContext("2d");
      this.drawn.flat = drawBodies(nothing, clip, this.frame, ON_PICTURE, place);
    }
    this.ring(ink, this.drawn.flat);
  }

  tag(ink, person) {
    const own = this.drawn.flat.filter((joint) => joint.id === person.id);
    if (!own.length) return;
    const top = own.reduce((a, b) => (b.flat[1] < a.flat[1] ? b : a));
    drawTag(ink, [top.flat[0], Math.max(22, top.flat[1] - 2 * top.radius)], `#${person.id}`, person.colour, ON_PICTURE);
  }

  // Around the joint under the pointer, in both views.
  ring(ink, joints) {
    const at = this.pointed && joints.find((j) => j.id === this.pointed.id && j.joint === this.pointed.joint);
    if (!at) return;
    for (const [colour, width] of [["#000", 5], ["#fff", 2.5]]) {
      ink.beginPath();
      ink.arc(at.flat[0], at.flat[1], at.radius + 5, 0, 2 * Math.PI);
      ink.strokeStyle = colour;
      ink.lineWidth = width;
      ink.stroke();
    }
  }

  hover(where, x, y) {
    const joint = x === undefined ? null : nearest(this.drawn[where], x, y);
    showTip($("flat-tip"), where === "flat" ? joint : null);
    showTip($("space-tip"), where === "space" ? joint : null);
    const same = joint && this.pointed && joint.id === this.pointed.id && joint.joint === this.pointed.joint;
    this.pointed = joint;
    if (!same) this.redraw();
  }

  connect() {
    attachOrbit($("scene"), this.view, {
      redraw: () => this.redraw(), home: () => this.reset(), hover: (x, y) => this.hover("space", x, y),
    });
    $("scene").addEventListener("keydown", (event) => this.key(event));
    $("reset").addEventListener("click", () => this.reset());
    const flat = $("flat"), point = (event) => {
      const box = flat.getBoundingClientRect();
      this.hover("flat", event.clientX - box.left, event.clientY - box.top);
    };
    flat.addEventListener("pointermove", point);
    flat.addEventListener("pointerdown", point);
    flat.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.hover("flat"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.readColours());
    new ResizeObserver(() => this.redraw()).observe($("stage"));
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const [turn, shift] = event.shiftKey ? [0, 24] : [0.1, 0], move = (x, y) => {
      if (shift) this.view.shift(x * shift, y * shift);
      else this.view.turn(x * turn, y * turn);
    };
    const actions = {
      ArrowLeft: () => move(-1, 0), ArrowRight: () => move(1, 0), ArrowUp: () => move(0, -1),
      ArrowDown: () => move(0, 1), "+": () => this.view.zoom(0.9), "=": () => this.view.zoom(0.9),
      "-": () => this.view.zoom(1.1), Home: () => this.reset(),
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
    this.redraw();
  }

  readColours() {
    const style = getComputedStyle(document.documentElement), names = ["paper", "grid", "shadow", "rim", "soft", "margin"];
    this.look = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
    this.redraw();
  }
}

// Pixels to add at the left, top, right and bottom, as the overlay of the service does.
function margins(clip) {
  const longer = Math.max(clip.width, clip.height), extra = longer / 40, over = [0, 0, 0, 0];
  for (const { joints2d, states } of clip.people) {
    states.forEach((state, j) => {
      const x = joints2d[2 * j], y = joints2d[2 * j + 1];
      if (state) [-x, -y, x - clip.width, y - clip.height].forEach((o, i) => (over[i] = Math.max(over[i], o)));
    });
  }
  return over.map((o) => (o > 0 ? Math.min(o + extra, longer * MOST_MARGIN) : 0));
}
