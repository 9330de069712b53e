// The player: what is read from the page's data, playing, and every control.

(function () {
  const $ = (id) => document.getElementById(id);
  const clip = JSON.parse($("data").textContent), video = $("video"), film = $("overlay").textContent.trim();
  for (const person of clip.people) {
    person.joints3d = unpack(person.joints3d, Int16Array);
    person.joints2d = unpack(person.joints2d, Int16Array);
    person.states = unpack(person.states, Uint8Array);
  }
  clip.torso = clip.joints.map((name, j) => (/ (hip|shoulder)$/.test(name) ? j : -1)).filter((j) => j >= 0);
  if (!clip.torso.length) clip.torso = [0];
  const bounds = measure(clip), view = new View(bounds), last = clip.times.length - 1;
  const state = { frame: 0, time: 0, playing: false, speed: 1, trails: true, panel: true, before: 0, asked: false };
  let look = {}, drawn = [];

  function draw() {
    const [ink, width, height] = sized($("scene"));
    view.size(width, height);
    drawn = drawScene(ink, view, clip, state.frame, bounds, look, state.trails);
    if (state.panel && !film) {
      const [flat, wide, high] = sized($("picture"));
      drawPicture(flat, wide, high, clip, state.frame, look);
    }
    $("slider").value = state.frame;
    $("slider").setAttribute("aria-valuetext", `frame ${clip.indices[state.frame]}`);
    const seconds = (clip.start + clip.times[state.frame]).toFixed(2);
    $("clock").textContent = `${seconds} s, frame ${clip.indices[state.frame]}`;
  }

  function redraw() {
    if (state.asked) return;
    state.asked = true;
    requestAnimationFrame((now) => {
      state.asked = false;
      if (state.playing) advance(now);
      draw();
      if (state.playing) redraw();
    });
  }

  function advance(now) {
    const end = clip.times[last] + (last ? clip.times[last] / last : 0);
    if (state.before) state.time += ((now - state.before) / 1000) * state.speed;
    state.before = now;
    if (state.time >= end) state.time = 0;
    let low = 0, high = last;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (clip.times[middle] <= state.time) low = middle;
      else high = middle - 1;
    }
    state.frame = low;
    if (film && Math.abs(video.currentTime - state.time) > 0.15) video.currentTime = state.time;
  }

  function show(frame) {
    state.frame = Math.max(0, Math.min(last, frame));
    state.time = clip.times[state.frame];
    if (film) video.currentTime = state.time;
    redraw();
  }

  function play(on) {
    state.playing = on && last > 0;
    state.before = 0;
    $("play").classList.toggle("on", state.playing);
    $("play").setAttribute("aria-label", state.playing ? "Pause" : "Play");
    if (film) {
      video.playbackRate = state.speed;
      if (state.playing) video.play().catch(() => {});
      else video.pause();
    }
    redraw();
  }

  function readColours() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ["paper", "grid", "shadow", "rim", "soft"]) look[name] = style.getPropertyValue(`--${name}`).trim();
    redraw();
  }

  function toggle(button, name) {
    state[name] = !state[name];
    button.setAttribute("aria-pressed", state[name]);
    $("flat").classList.toggle("off", !state.panel);
    redraw();
  }

  function reset() {
    const box = $("scene").getBoundingClientRect();
    view.reset(box.width, box.height);
    redraw();
  }

  function keys(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || /SELECT/.test(event.target.tagName)) return;
    const inside = event.target.tagName, slides = inside === "INPUT" && /Arrow|Home|End|Page/.test(event.key);
    if (slides || (inside === "BUTTON" && (event.key === " " || event.key === "Enter"))) return;
    const second = Math.max(1, Math.round(last / Math.max(clip.times[last], 1e-6)));
    const actions = {
      " ": () => play(!state.playing), ArrowLeft: () => show(state.frame - (event.shiftKey ? second : 1)),
      ArrowRight: () => show(state.frame + (event.shiftKey ? second : 1)), Home: () => show(0), End: () => show(last),
      a: () => view.turn(-0.1, 0), d: () => view.turn(0.1, 0), w: () => view.turn(0, -0.1), s: () => view.turn(0, 0.1),
      "+": () => view.zoom(0.9), "=": () => view.zoom(0.9), "-": () => view.zoom(1.1), r: reset,
      t: () => toggle($("trails"), "trails"), p: () => toggle($("panel"), "panel"),
    };
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    action();
    redraw();
  }

  function addPeople() {
    for (const person of clip.people) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = `#${person.id}`;
      button.title = `Show or hide person ${person.id}`;
      button.style.setProperty("--own", person.colour);
      button.setAttribute("aria-pressed", "true");
      button.addEventListener("click", () => {
        person.off = !person.off;
        button.setAttribute("aria-pressed", !person.off);
        redraw();
      });
      $("people").append(button);
    }
  }

  function connect() {
    attachOrbit($("scene"), view, {
      redraw, home: reset, hover: (x, y) => showTip($("tip"), x === undefined ? null : nearest(drawn, x, y)),
    });
    document.addEventListener("keydown", keys);
    $("slider").addEventListener("input", () => show(Number($("slider").value)));
    $("play").addEventListener("click", () => play(!state.playing));
    $("speed").addEventListener("change", () => {
      state.speed = Number($("speed").value);
      video.playbackRate = state.speed;
    });
    $("trails").addEventListener("click", () => toggle($("trails"), "trails"));
    $("panel").addEventListener("click", () => toggle($("panel"), "panel"));
    $("reset").addEventListener("click", reset);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", readColours);
    new ResizeObserver(redraw).observe($("stage"));
  }

  document.title = clip.title;
  $("title").textContent = clip.title;
  $("slider").max = last;
  $("nobody").hidden = clip.people.length > 0;
  if (film) {
    video.src = film;
    video.hidden = false;
    $("picture").hidden = true;
    $("panel").textContent = "video";
  }
  for (const side of ["left", "right"]) {
    document.querySelector(`#legend .${side}`).style.setProperty("--own", clip.sides[side]);
  }
  addPeople();
  connect();
  readColours();
  reset();
}());
