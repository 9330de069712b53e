// A canvas that shows a scene: its ink, and what mouse, pen and fingers do on it: turn, shift, zoom, and name joints.

const REACH = 18;

// Lets pointers turn `view` (of scene.js) on `canvas`. `on` has `redraw()`, `home()` and `hover(x, y)` in pixels of the
// canvas; `hover()` without a place means that the pointer is gone.
export function attachOrbit(canvas, view, on) {
  const held = new Map();

  function spread() {
    const [a, b] = [...held.values()];
    return { far: Math.hypot(a.x - b.x, a.y - b.y), x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
  }

  function point(event) {
    const box = canvas.getBoundingClientRect();
    on.hover(event.clientX - box.left, event.clientY - box.top);
  }

  function drag(event) {
    const from = held.get(event.pointerId);
    if (!from) return point(event);
    const before = held.size === 2 ? spread() : null, dx = event.clientX - from.x, dy = event.clientY - from.y;
    held.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (dx || dy) on.hover();
    if (before) {
      const after = spread();
      view.zoom(before.far / Math.max(after.far, 1));
      view.shift(after.x - before.x, after.y - before.y);
    } else if (event.shiftKey || event.buttons === 2) view.shift(dx, dy);
    else view.turn(-dx * 0.008, -dy * 0.008);
    on.redraw();
  }

  function release(event) {
    held.delete(event.pointerId);
    canvas.classList.toggle("held", held.size > 0);
  }

  canvas.addEventListener("pointerdown", (event) => {
    held.set(event.pointerId, { x: event.clientX, y: event.clientY });
    canvas.setPointerCapture(event.pointerId);
    canvas.classList.add("held");
    if (event.pointerType === "mouse") on.hover();
    else point(event); // a finger cannot hover
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, release);
  canvas.addEventListener("pointermove", drag);
  canvas.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "mouse") on.hover();
  });
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("dblclick", on.home);
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    view.zoom(Math.exp(Math.max(-50, Math.min(50, event.deltaY)) * 0.004));
    on.redraw();
  }, { passive: false });
}

// Sharp on every screen, drawn on in CSS pixels: the ink, and the width and height to draw on.
export function sized(canvas) {
  const box = canvas.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
  const wide = Math.max(1, Math.round(box.width * ratio)), high = Math.max(1, Math.round(box.height * ratio));
  if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
  const ink = canvas.getContext("2d");
  ink.setTransform(ratio, 0, 0, ratio, 0, 0);
  return [ink, box.width, box.height];
}

// The drawn joint at a place, or null.
export function nearest(joints, x, y) {
  let best = null, near = REACH;
  for (const joint of joints) {
    const far = Math.hypot(joint.flat[0] - x, joint.flat[1] - y) - joint.radius * 0.5;
    if (far < near) [best, near] = [joint, far];
  }
  return best;
}

// Shows what is known of a joint beside it, inside of its section; null hides it.
export function showTip(tip, joint) {
  tip.hidden = !joint;
  if (!joint) return;
  const where = joint.p ? `, ${joint.p.map((v) => v.toFixed(2)).join("  ")} m` : "";
  tip.textContent = `#${joint.id} ${joint.name}, ${joint.state}${where}`;
  const left = Math.min(joint.flat[0] + 14, tip.parentElement.clientWidth - tip.offsetWidth - 6);
  tip.style.left = `${Math.max(6, left)}px`;
  tip.style.top = `${Math.max(6, joint.flat[1] - 34)}px`;
}
