// The webcam: one frame at a time goes to the service; the next when the people of the last are there.

import { ApiError } from "./api.js";

const LONGER_SIDE = 640, QUALITY = 0.85;
const WHY = {
  NotAllowedError: "The browser was not allowed to use the webcam; allow it beside the address.",
  NotFoundError: "No webcam was found; connect one, or choose a file.",
  NotReadableError: "The webcam is in use by another program; close that first.",
};

export class Webcam {
  // `on` has `frame(poses, canvas)` for each answer and `ended(error)` for an end that nobody asked for.
  constructor(api, on) {
    this.api = api;
    this.on = on;
    this.camera = document.createElement("video");
    Object.assign(this.camera, { muted: true, playsInline: true });
    this.socket = this.media = this.last = null;
    this.canvases = [document.createElement("canvas"), document.createElement("canvas")];
  }

  // Resolves when frames flow; ApiError where there is no webcam, no server or no token.
  async start(query) {
    await this.api.json("v1/info"); // a socket cannot tell why it was refused
    if (!navigator.mediaDevices) {
      throw new ApiError("Browsers give the webcam only to pages over https or from this machine.", "insecure");
    }
    try {
      this.media = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: LONGER_SIDE } } });
    } catch (error) {
      throw new ApiError(WHY[error.name] || `The webcam cannot be used: ${error.message}`, "webcam");
    }
    this.media.getVideoTracks()[0].addEventListener("ended", () => this.end("The webcam was taken away.", "webcam"));
    this.camera.srcObject = this.media;
    await this.camera.play();
    const socket = this.api.stream(`track=true${query}`);
    this.socket = socket;
    socket.onopen = () => this.send();
    socket.onmessage = (event) => this.take(JSON.parse(event.data));
    socket.onclose = (event) => this.closed(event.reason);
  }

  // Gives the webcam back; returns the last frame as a file with its people, or null.
  stop() {
    const { socket, media, last } = this;
    this.socket = this.media = this.last = null;
    if (socket) {
      socket.onclose = socket.onmessage = socket.onopen = null;
      socket.close();
    }
    if (media) media.getTracks().forEach((track) => track.stop());
    return last;
  }

  send() {
    const { videoWidth: wide, videoHeight: high } = this.camera, scale = Math.min(1, LONGER_SIDE / Math.max(wide, high));
    const canvas = this.canvases[0];
    canvas.width = Math.round(wide * scale);
    canvas.height = Math.round(high * scale);
    canvas.getContext("2d").drawImage(this.camera, 0, 0, canvas.width, canvas.height);
    canvas.toBlob((blob) => {
      if (!blob || !this.socket || this.socket.readyState !== WebSocket.OPEN) return;
      this.blob = blob;
      this.socket.send(blob);
    }, "image/jpeg", QUALITY);
  }

  take(answer) {
    if (answer.error) return this.end(answer.error.message, answer.error.code);
    const [sent, shown] = this.canvases;
    this.canvases = [shown, sent]; // the answered frame stays on the page while the next one is taken
    this.last = { blob: this.blob, poses: answer.poses };
    this.on.frame(answer.poses, sent);
    this.send();
  }

  async closed(reason) {
    if (reason) return this.end(`The service ended the stream: ${reason}.`, "stream");
    const opened = this.last !== null;
    try {
      await this.api.json("v1/info");
    } catch (error) {
      return this.end(error.message, error.code, error.status);
    }
    this.end(opened ? "The service ended the stream." : "The service takes no more streams now; try again later.", "stream");
  }

  end(message, code, status) {
    if (this.media || this.socket) this.on.ended(new ApiError(message, code, status));
  }
}
