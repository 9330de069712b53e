// What the page asks of the service, with the token where one is needed.

const LOST = "The server does not answer; see whether anchorpose serve still runs, then try again.";

// Refused, or not answered at all (`code` "lost"); `message` is one line for people.
export class ApiError extends Error {
  constructor(message, code, status = 0) {
    super(message);
    Object.assign(this, { code, status });
  }
}

export class Api {
  constructor() {
    this.token = sessionStorage.getItem("anchorpose-token") || "";
  }

  setToken(token) {
    this.token = token;
    sessionStorage.setItem("anchorpose-token", token);
  }

  // The answer to a request; ApiError where there is none, or it is no success.
  async ask(path, options = {}) {
    const headers = { ...options.headers, ...(this.token && { Authorization: `Bearer ${this.token}` }) };
    let response;
    try {
      response = await fetch(path, { ...options, headers, cache: "no-store" });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw lost();
    }
    if (!response.ok) throw refusal(response.status, await response.text().catch(() => ""));
    return response;
  }

  async json(path, options) {
    return this.read(await this.ask(path, options), "json");
  }

  // The body of an answer, which may also break off.
  async read(response, kind) {
    try {
      return await response[kind]();
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw lost();
    }
  }

  // Sends a file and tells the share that is sent; fetch cannot tell that.
  upload(path, file, told, signal) {
    return new Promise((done, failed) => {
      const request = new XMLHttpRequest(), form = new FormData();
      form.append("file", file, file.name);
      request.open("POST", path);
      if (this.token) request.setRequestHeader("Authorization", `Bearer ${this.token}`);
      request.upload.onprogress = (event) => told(event.total ? event.loaded / event.total : 0);
      request.onload = () => {
        if (request.status < 300) done(JSON.parse(request.responseText));
        else failed(refusal(request.status, request.responseText));
      };
      request.onerror = () => failed(lost());
      request.onabort = () => failed(new DOMException("cancelled", "AbortError"));
      signal.addEventListener("abort", () => request.abort());
      request.send(form);
    });
  }

  // A stream of frames; a browser can bring the token only as a subprotocol.
  stream(query) {
    const address = new URL(`v1/stream?${query}`, document.baseURI);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address, ["anchorpose", ...(this.token ? [`bearer.${this.token}`] : [])]);
    socket.binaryType = "arraybuffer";
    return socket;
  }

  // An address that a <video> or a link can take: the file's own, or a copy where a token is needed.
  async address(path, signal) {
    if (!this.token) return path;
    return URL.createObjectURL(await this.read(await this.ask(path, { signal }), "blob"));
  }
}

// No answer came.
export function lost() {
  return new ApiError(LOST, "lost");
}

function refusal(status, text) {
  try {
    const { message, code } = JSON.parse(text).error;
    return new ApiError(message, code, status);
  } catch {
    return new ApiError(`The server answered ${status}; its log tells more.`, "unknown", status);
  }
}
