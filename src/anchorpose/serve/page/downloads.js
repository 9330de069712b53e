// The download buttons.

const $ = (id) => document.getElementById(id);
const MANY = 12;

// One button a file; `files` are { words, name, get }, where `get` gives a Blob or an address, perhaps later.
export function showDownloads(files, failed) {
  const made = files.map((file) => button(file, failed));
  $("downloads").replaceChildren(...made.slice(0, MANY));
  if (made.length > MANY) {
    const rest = document.createElement("details"), title = document.createElement("summary"), box = document.createElement("div");
    title.textContent = `${made.length - MANY} more`;
    box.className = "buttons";
    box.append(...made.slice(MANY));
    rest.append(title, box);
    $("downloads").append(rest);
  }
  $("take").hidden = !files.length;
}

function button({ words, name, get }, failed) {
  const made = document.createElement("button"), icon = document.querySelector("#choose svg").cloneNode(true);
  made.type = "button";
  made.dataset.name = name;
  icon.firstElementChild.setAttribute("href", "#icon-save");
  made.append(icon, ` ${words}`);
  made.addEventListener("click", async () => {
    made.disabled = true;
    try {
      save(await get(), name);
    } catch (error) {
      failed(error);
    } finally {
      made.disabled = false;
    }
  });
  return made;
}

function save(what, name) {
  const link = document.createElement("a"), address = typeof what === "string" ? what : URL.createObjectURL(what);
  Object.assign(link, { href: address, download: name });
  link.click();
  if (address.startsWith("blob:")) setTimeout(() => URL.revokeObjectURL(address), 60000);
}

// What POST /v1/detect offers for a picture. `poses` is its answer as JSON.
export function pictureFiles(api, file, poses, query) {
  const stem = file.name.replace(/\.[^.]*$/, "") || "picture";
  const ask = (more, accept) => async () => {
    const form = new FormData();
    form.append("file", file, file.name);
    const response = await api.ask(`v1/detect?${query}${more}`, { method: "POST", body: form, headers: { Accept: accept } });
    return api.read(response, "blob");
  };
  const json = "application/json";
  return [
    { words: "JSON", name: `${stem}.json`, get: () => new Blob([JSON.stringify(poses)], { type: json }) },
    { words: "COCO", name: `${stem}_coco.json`, get: ask("&format=coco", json) },
    { words: "OpenPose", name: `${stem}_keypoints.json`, get: ask("&format=openpose", json) },
    { words: "picture, JPEG", name: `${stem}_overlay.jpg`, get: ask("", "image/jpeg") },
    { words: "picture, PNG", name: `${stem}_overlay.png`, get: ask("", "image/png") },
  ];
}

// The result files of a job.
export function jobFiles(api, job) {
  const first = (file) => (file.name.includes("/") ? 1 : 0); // the export files last
  return job.files.toSorted((a, b) => first(a) - first(b)).map(({ name, bytes, url }) => ({
    words: `${name.replace("exports/", "")} (${size(bytes)})`, name: name.split("/").pop(),
    get: () => api.address(url.slice(1)),
  }));
}

function size(bytes) {
  if (bytes < 1e3) return `${bytes} bytes`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
