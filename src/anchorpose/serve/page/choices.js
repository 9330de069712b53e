// What can be chosen: the options of a request, and the examples.

import { ApiError, lost } from "./api.js";

const $ = (id) => document.getElementById(id);

// The fields that are filled in, as a query; for a video also the files to write.
export function chosen(names, exports = false) {
  const query = new URLSearchParams();
  for (const name of names) {
    const field = $("chosen").elements[name];
    if (!field.value) continue;
    if (!field.checkValidity()) {
      throw new ApiError(`${field.labels[0].textContent.trim()}: ${field.validationMessage}`, "bad_parameter");
    }
    query.append(name, field.value);
  }
  for (const box of exports ? $("exports").querySelectorAll("input:checked") : []) query.append("export", box.value);
  return query.toString();
}

// A box for each format that this service writes. OpenPose's is a file a frame, so nobody gets it unasked.
export function addExports(formats) {
  $("exports").replaceChildren(...formats.map((name) => {
    const label = document.createElement("label"), box = document.createElement("input");
    Object.assign(box, { type: "checkbox", value: name, checked: name !== "openpose" });
    label.append(box, ` ${name}`);
    return label;
  }));
}

// Photographs to click; `open` takes a file and what is known of it.
export async function addExamples(open, failed) {
  const examples = await (await fetch("page/examples.json")).json();
  const words = Object.assign(document.createElement("span"), { textContent: "or an example:" });
  $("examples").append(words, ...examples.map((example) => {
    const made = document.createElement("button"), picture = document.createElement("img");
    Object.assign(picture, { src: `page/examples/${example.file}`, alt: example.title });
    Object.assign(made, { type: "button", title: `Example: ${example.title}` });
    made.append(picture);
    made.addEventListener("click", async () => {
      try {
        const bytes = await (await fetch(picture.src)).blob();
        open(new File([bytes], example.file, { type: "image/jpeg" }), example);
      } catch {
        failed(lost());
      }
    });
    return made;
  }));
}

// Who made an example; nothing for one's own picture.
export function credit(example) {
  $("credit").hidden = !example;
  if (!example) return;
  const link = (words, href) => Object.assign(document.createElement("a"), { textContent: words, href, rel: "noreferrer" });
  const number = example.source.match(/\/(\d+)_/)[1];
  $("credit").replaceChildren("Photograph: ", link(`Flickr ${number}`, example.source), ", ",
    link("CC BY 2.0", example.licence), "; scaled down. From COCO val2017.");
}
