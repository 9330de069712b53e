// The page: what each control does. One thing at a time is shown; a new one ends the one before.

import { Api, ApiError } from "./api.js";
import { clipOf } from "./bodies.js";
import { jobFiles, pictureFiles, showDownloads } from "./downloads.js";
import { addExamples, addExports, chosen, credit } from "./choices.js";
import { People } from "./people.js";
import { Stage } from "./stage.js";
import { Film, follow, jobClip } from "./videos.js";
import { Webcam } from "./webcam.js";

const VIDEO = /\.(mp4|m4v|mov|mkv|webm|avi|ts|mts|mpe?g|ogv|flv|wmv)$/i;
const $ = (id) => document.getElementById(id);
const api = new Api(), stage = new Stage(), people = new People(() => stage.redraw());
const film = new Film(seek, fail), webcam = new Webcam(api, { frame: showFrame, ended: webcamEnded });
let figure = null, limits = null, running = null, again = null;

// --- messages

function fail(error) {
  if (error.name === "AbortError") return;
  if (error.status === 401) askForToken();
  $("message").textContent = error instanceof ApiError ? error.message : `Something failed in this page: ${error.message}`;
  $("error").hidden = false;
}

function askForToken() {
  $("login").hidden = false;
  $("token").focus();
}

// What is done now, its share (null: nobody knows), and numbers, which a screen reader need not read all the time.
function tell(words, share, count = "") {
  $("work").hidden = false;
  if ($("doing").textContent !== words) $("doing").textContent = words;
  $("count").textContent = count;
  if (share === null || share === undefined) $("bar").removeAttribute("value");
  else $("bar").value = share;
}

// --- one thing at a time

// Ends what is there; returns the signal that ends what comes now.
function begin() {
  if (running) running.abort();
  running = new AbortController();
  webcam.stop();
  film.clear();
  people.clear();
  again = null;
  for (const id of ["error", "result", "work", "take", "credit"]) $(id).hidden = true;
  showWebcam(false);
  history.replaceState(null, "", location.pathname);
  return running.signal;
}

// Runs a task; its errors are shown, unless it was ended by another.
async function run(task) {
  const signal = begin();
  try {
    figure ??= await api.json("page/figure.json");
    await task(signal);
  } catch (error) {
    if (!signal.aborted) fail(error);
  }
  if (signal.aborted) return;
  $("work").hidden = true;
  document.body.classList.toggle("compact", !$("result").hidden);
}

function cancel() {
  begin();
  document.body.classList.remove("compact");
}

function showResult() {
  $("result").hidden = false;
  document.body.classList.add("compact");
}

// --- pictures

function open(file) {
  if (!file) return;
  if (file.type.startsWith("video/") || VIDEO.test(file.name)) openVideo(file);
  else openPicture(file);
}

function openPicture(file, example) {
  run(async (signal) => {
    again = () => openPicture(file, example);
    checkSize(file, limits && limits.body_megabytes, "pictures");
    tell("Looking for people", null);
    $("cancel").onclick = cancel;
    const query = chosen(["fov", "min_score"]);
    const answer = await api.upload(`v1/detect?${query}`, file, (share) => tell("Looking for people", share < 1 ? share : null), signal);
    const image = await createImageBitmap(file).catch(() => {
      throw new ApiError("This browser cannot show the picture; save it as JPEG or PNG.", "unreadable");
    });
    if (signal.aborted) return;
    showPicture(file, answer, image, query);
    credit(example);
  });
}

function showPicture(file, answer, image, query) {
  const clip = clipOf(answer.images[0].poses, figure);
  showResult();
  people.show(clip, 0);
  stage.show(clip, image);
  showDownloads(pictureFiles(api, file, answer, query), fail);
}

function checkSize(file, most, kind) {
  if (most && file.size > most * 1e6) {
    throw new ApiError(`${file.name} has ${(file.size / 1e6).toFixed(1)} MB, the service takes ${kind} of at most ${most} MB.`, "too_large");
  }
}

// --- videos

function openVideo(file) {
  run(async (signal) => {
    checkSize(file, limits && limits.video_megabytes, "videos");
    $("cancel").onclick = cancel;
    tell("Sending the video", 0);
    const query = chosen(["fov", "min_score", "start", "end", "stride"], true);
    const job = await api.upload(`v1/track?html=true&${query}`, file,
      (share) => tell(share < 1 ? "Sending the video" : "Checking the video", share < 1 ? share : null), signal);
    await followJob(job.id, signal);
  });
}

async function followJob(id, signal) {
  history.replaceState(null, "", `#job=${id}`);
  $("cancel").onclick = async () => {
    tell("Cancelling", null);
    await api.ask(`v1/jobs/${id}/cancel`, { method: "POST" }).catch(fail);
  };
  const job = await follow(api, id, tell, signal);
  tell("Fetching the results", null);
  if (job.state === "failed") fail(new ApiError(`The video failed: ${job.error}`, "failed"));
  const clip = await jobClip(api, job, figure, signal), drawn = job.files.find((one) => one.name === "overlay.mp4");
  const address = drawn && (await api.address(drawn.url.slice(1), signal));
  if (signal.aborted) return;
  if (!clip || !clip.times.length) {
    if (job.state !== "failed") fail(new ApiError(`The video was ${job.state} before its first frame.`, job.state));
    return;
  }
  showResult();
  people.show(clip, 0);
  stage.show(clip, null);
  if (address) film.show(address, clip);
  showDownloads(jobFiles(api, job), fail);
  if (job.state === "cancelled") fail(new ApiError("Cancelled; what was found until then is shown.", "cancelled"));
}

function seek(frame) {
  if (frame === stage.frame) return;
  stage.seek(frame);
  people.seek(frame);
}

// --- the webcam

function showWebcam(on) {
  $("webcam").setAttribute("aria-pressed", on);
  $("webcam").querySelector("span").textContent = on ? "Stop the webcam" : "Use the webcam";
}

function toggleWebcam() {
  if ($("webcam").getAttribute("aria-pressed") === "true") return stopWebcam();
  run(async (signal) => {
    showWebcam(true);
    tell("Starting the webcam", null);
    $("cancel").onclick = stopWebcam;
    const query = chosen(["fov", "min_score"]);
    try {
      await webcam.start(query && `&${query}`);
      if (signal.aborted) webcam.stop();
      else await new Promise((done) => signal.addEventListener("abort", done)); // frames come until it is ended
    } catch (error) {
      webcam.stop();
      if (!signal.aborted) showWebcam(false);
      throw error;
    }
  });
}

function showFrame(poses, canvas) {
  const clip = clipOf(poses, figure);
  $("work").hidden = true;
  if ($("result").hidden) showResult();
  people.show(clip, 0);
  stage.next(clip, canvas);
}

// The last frame stays, as a picture that can be downloaded.
function stopWebcam() {
  const last = webcam.stop();
  begin();
  if (!last) return;
  const file = new File([last.blob], "webcam.jpg", { type: "image/jpeg" }), { camera } = last.poses;
  const answer = { schema: "anchorpose/results/1", images: [{ file: file.name, width: camera.width, height: camera.height, poses: last.poses }] };
  createImageBitmap(file).then((image) => showPicture(file, answer, image, chosen(["fov", "min_score"])), fail);
}

function webcamEnded(error) {
  stopWebcam();
  fail(error);
}

// --- what the browser tells

function connect() {
  $("choose").addEventListener("click", () => $("file").click());
  $("file").addEventListener("change", () => {
    open($("file").files[0]);
    $("file").value = "";
  });
  $("webcam").addEventListener("click", toggleWebcam);
  $("dismiss").addEventListener("click", () => ($("error").hidden = true));
  $("login").addEventListener("submit", (event) => {
    event.preventDefault();
    api.setToken($("token").value.trim());
    start();
  });
  $("chosen").addEventListener("change", (event) => {
    if (again && ["fov", "min_score"].includes(event.target.name)) again();
  });
  $("chosen").addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dragging");
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget || document.body.classList.remove("dragging"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dragging");
    open(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => open(event.clipboardData.files[0]));
}

async function start() {
  try {
    figure ??= await api.json("page/figure.json");
    addExports(figure.exports);
    limits = (await api.json("v1/info")).limits;
    $("login").hidden = true;
    $("error").hidden = true;
  } catch (error) {
    if (error.status !== 401) return fail(error);
    return api.token ? fail(error) : askForToken();
  }
  const job = location.hash.match(/^#job=([\w-]+)$/);
  if (job) run((signal) => followJob(job[1], signal));
}

connect();
addExamples(openPicture, fail).catch(fail);
start();
