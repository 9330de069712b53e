// Videos: the job on the service, and its film in step with the people in 3D.

import { ApiError } from "./api.js";
import { readClip } from "./bodies.js";

const EVERY = 700, AFTER_LOSS = 3000; // milliseconds between looks at a job
const $ = (id) => document.getElementById(id);

// Follows a job to its end. A lost server is told of and asked again, since jobs outlive it.
export async function follow(api, id, told, signal) {
  for (;;) {
    try {
      const job = await api.json(`v1/jobs/${id}`, { signal });
      if (!["queued", "running"].includes(job.state)) return job;
      told(job.state === "queued" ? "Waiting for other videos" : "Looking for people", job.progress.share, counted(job));
      await pause(EVERY, signal);
    } catch (error) {
      if (error.code !== "lost") throw error;
      told("The server does not answer; trying again", null);
      await pause(AFTER_LOSS, signal);
    }
  }
}

function counted({ progress, started }) {
  const { frames, of, share } = progress, spent = Date.now() / 1000 - started;
  if (!frames) return "";
  const left = share > 0.1 && share < 1 ? `, ${duration((spent * (1 - share)) / share)} left` : "";
  return `${frames} ${of ? `of ${of} ` : ""}frames${left}`;
}

function duration(seconds) {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.round(seconds / 60)} min`;
}

function pause(milliseconds, signal) {
  return new Promise((done, failed) => {
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      failed(new DOMException("cancelled", "AbortError"));
    }, { once: true });
  });
}

// The people of a job: its finished tracks, or what was found before it ended.
export async function jobClip(api, job, figure, signal) {
  const names = job.files.map((file) => file.name);
  const name = ["tracks.jsonl", "results.jsonl"].find((one) => names.includes(one));
  if (!name) return null;
  const response = await api.ask(`v1/jobs/${job.id}/files/${name}`, { signal });
  try {
    return await readClip(response.body, figure);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(`${name} of this video cannot be read; download it instead.`, "unreadable");
  }
}

// The <video>; `seek` is called with the clip's frame that it shows.
export class Film {
  constructor(seek, failed) {
    const film = $("film");
    this.clip = null;
    this.film = film;
    const follow = (time) => this.clip && seek(this.frame(time));
    if ("requestVideoFrameCallback" in film) { // exact to the frame; the events below are late, but never left out
      const step = (_, data) => {
        follow(data.mediaTime);
        film.requestVideoFrameCallback(step);
      };
      film.requestVideoFrameCallback(step);
    }
    for (const event of ["timeupdate", "seeked", "pause"]) film.addEventListener(event, () => follow(film.currentTime));
    film.addEventListener("error", () => {
      if (this.clip) failed(new ApiError("This browser cannot play the video; download overlay.mp4 instead.", "film"));
    });
  }

  show(address, clip) {
    this.clip = clip;
    this.film.src = address;
    this.film.hidden = false;
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    this.film.play().catch(() => {}); // a browser may want a click first
  }

  clear() {
    this.clip = null;
    this.film.pause();
    if (this.film.src.startsWith("blob:")) URL.revokeObjectURL(this.film.src);
    this.film.removeAttribute("src");
    this.film.load();
    this.film.hidden = true;
  }

  frame(time) {
    const { times } = this.clip, wanted = time + times[0] + 1e-3;
    let low = 0, high = times.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (times[middle] <= wanted) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
