// The table of people, and of one person's joints.

import { STATES, UNKNOWN } from "./scene.js";

const $ = (id) => document.getElementById(id);

export class People {
  // `redraw` is called when somebody is hidden or shown.
  constructor(redraw) {
    this.redraw = redraw;
    this.clip = null;
    this.rows = new Map();
    this.chosen = null;
  }

  show(clip, frame) {
    const before = this.clip;
    this.clip = clip;
    for (const person of clip.people) {
      person.off = before ? before.people.some((one) => one.id === person.id && one.off) : false;
    }
    if (!clip.people.some((person) => person.id === this.chosen)) this.chosen = null;
    const ids = clip.people.map((person) => person.id);
    // rows of those who stay are kept, and with them the keyboard's place
    for (const [id, row] of this.rows) {
      if (ids.includes(id)) continue;
      row.remove();
      this.rows.delete(id);
    }
    for (const person of clip.people) {
      if (!this.rows.has(person.id)) this.rows.set(person.id, this.row(person.id));
      $("people").tBodies[0].append(...(this.rows.get(person.id).isConnected ? [] : [this.rows.get(person.id)]));
    }
    $("people").hidden = !ids.length;
    $("none").hidden = ids.length > 0;
    $("assumed").hidden = !clip.assumed || !ids.length;
    this.seek(frame);
  }

  clear() {
    this.clip = this.chosen = null;
    for (const row of this.rows.values()) row.remove();
    this.rows.clear();
  }

  // Numbers of a frame.
  seek(frame) {
    const J = this.clip.joints.length;
    for (const person of this.clip.people) {
      const row = this.rows.get(person.id), states = person.states.subarray(frame * J, (frame + 1) * J);
      const number = (value, places) => (Number.isNaN(value) ? "–" : value.toFixed(places));
      const there = states.some(Boolean), seen = states.filter((state) => STATES[state] === "visible").length;
      [, number(person.scores[frame], 2), number(person.depths[frame], 1), there ? `${seen} of ${J}` : "–"]
        .forEach((words, i) => (row.cells[i].textContent = words));
      const [shown, joints] = row.querySelectorAll("button");
      shown.style.setProperty("--own", person.colour);
      shown.setAttribute("aria-pressed", !person.off);
      joints.setAttribute("aria-expanded", person.id === this.chosen);
    }
    this.joints(frame);
  }

  row(id) {
    const row = document.createElement("tr"), own = (p) => p.id === id;
    for (let i = 0; i < 5; i++) row.insertCell();
    row.cells[0].append(button(`#${id}`, `Show or hide person ${id}`, () => {
      const person = this.clip.people.find(own);
      person.off = !person.off;
      row.querySelector("button").setAttribute("aria-pressed", !person.off);
      this.redraw();
    }));
    row.cells[4].append(button("joints", `Joints of person ${id}`, () => {
      this.chosen = this.chosen === id ? null : id;
      this.seek(this.frame);
    }));
    row.cells[4].firstChild.setAttribute("aria-controls", "details");
    return row;
  }

  joints(frame) {
    this.frame = frame;
    const person = this.clip.people.find((one) => one.id === this.chosen), body = $("details").querySelector("tbody");
    $("details").hidden = !person;
    if (!person) return;
    const J = this.clip.joints.length;
    $("details-title").textContent = `Joints of person #${person.id}`;
    const at = (values, j, width, places) => {
      const from = (frame * J + j) * width, own = Array.from(values.subarray(from, from + width));
      return own.includes(UNKNOWN) ? "–" : own.map((v) => v.toFixed(places)).join(", ");
    };
    body.replaceChildren(...this.clip.joints.map((name, j) => {
      const row = document.createElement("tr"), state = STATES[person.states[frame * J + j]];
      row.className = state;
      for (const words of [name, state, at(person.joints2d, j, 2, 1), at(person.joints3d, j, 3, 2)]) {
        row.insertCell().textContent = words;
      }
      return row;
    }));
  }
}

function button(words, title, act) {
  const made = document.createElement("button");
  Object.assign(made, { type: "button", textContent: words, title });
  made.addEventListener("click", act);
  return made;
}
