"use strict";
/* What is asked goes to the process behind the page and to nobody else; every figure comes from there. */
const data = JSON.parse(document.getElementById("data").textContent);
const say = (key, values = {}) =>
  Object.entries(values).reduce((text, [name, value]) => text.replaceAll(`{${name}}`, value), data.messages[key]);
const at = (id) => document.getElementById(id);
const state = { image: null, images: [], asked: 0, drawing: false, again: null, refused: [] };

async function request(path, options = {}) {
  const answer = await fetch(`${path}?language=${data.language}`, options);
  const told = answer.headers.get("content-type")?.startsWith("application/json") ? await answer.json() : null;
  if (!answer.ok) throw new Problems(told?.problems ?? [say("gone")]);
  return told;
}
class Problems extends Error {
  constructor(list) {
    super(list.join("\n"));
    this.list = list;
  }
}
const post = (path, body) =>
  request(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

function show(problems) {
  at("problems").replaceChildren(...problems.map((text) => element("li", text)));
}
function element(name, text = "", attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
const failed = (error) => show(error instanceof Problems ? error.list : [say("gone")]);

/* tabs, by mouse and by arrow keys */
const tabs = [...document.querySelectorAll("[role=tab]")];
function open(tab) {
  for (const each of tabs) {
    const chosen = each === tab;
    each.setAttribute("aria-selected", chosen);
    each.tabIndex = chosen ? 0 : -1;
    at(each.getAttribute("aria-controls")).hidden = !chosen;
  }
  show([]);
}
tabs.forEach((tab, index) => {
  tab.addEventListener("click", () => open(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(index + step + tabs.length) % tabs.length];
    next.focus();
    open(next);
  });
});
at("language").addEventListener("change", () => {
  location.search = new URLSearchParams({ language: at("language").value });
});

/* images */
async function upload(files) {
  state.refused = [];
  show([]);
  for (const file of files) {
    at("status").textContent = say("reading", { name: file.name });
    try {
      const headers = { "content-type": "application/octet-stream", "x-file-name": encodeURIComponent(file.name) };
      const told = await request("images", { method: "POST", headers, body: file });
      state.image = told.key;
    } catch (error) {
      state.refused.push(...(error instanceof Problems ? error.list : [say("unreadable", { name: file.name })]));
    }
  }
  at("status").textContent = "";
  show(state.refused);
  await list().then(() => draw()).catch(failed);
}
const FEW = 24;
async function list() {
  state.images = await request("images");
  if (!state.images.some((each) => each.key === state.image)) state.image = state.images.at(-1)?.key ?? null;
  at("forget").hidden = !state.image;
  at("thumbs").replaceChildren(...(state.images.length > FEW ? [chooser()] : state.images.map(thumb)));
  document.dispatchEvent(new Event("listed"));
}
function choose(key) {
  state.image = key;
  state.refused = [];
  return list().then(() => void draw()).catch(failed);
}
function thumb(each) {
  const chosen = each.key === state.image;
  const button = element("button", each.name, { type: "button", "aria-pressed": chosen, "data-image": each.key });
  button.title = `${each.name}, ${each.width} × ${each.height}`;
  button.addEventListener("click", async () => {
    await choose(each.key);
    document.querySelector(`#thumbs [data-image="${each.key}"]`)?.focus();
  });
  return button;
}
function chooser() {
  const select = element("select", "", { "aria-label": say("images") });
  for (const each of state.images) select.append(new Option(each.name, each.key, false, each.key === state.image));
  select.addEventListener("change", () => choose(select.value));
  return select;
}
at("forget").addEventListener("click", async () => {
  try {
    await request(`images/${state.image}`, { method: "DELETE" });
    state.refused = [];
    await list();
    at("results").hidden = !state.image;
    at("empty").hidden = Boolean(state.image);
    draw();
    at(state.image ? "forget" : "files").focus();
  } catch (error) {
    failed(error);
  }
});
at("files").addEventListener("change", () => {
  upload([...at("files").files]);
  at("files").value = "";
});
for (const kind of ["dragover", "dragleave", "drop"])
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    at("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop") upload([...event.dataTransfer.files].filter((file) => file.size));
  });
document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) upload([...event.clipboardData.files]);
});

/* what is asked of one image */
const slider = at("epsilon");
slider.max = data.epsilons.length - 1;
slider.value = data.epsilons.indexOf(data.epsilon);
const number = (id) => (at(id).value === "" ? null : Number(at(id).value));
function asked() {
  const noise = at("noise").value || null;
  const directed = noise === "privunit";
  const place = directed || !noise ? null : at("at").value || null;
  return {
    image: state.image,
    feature: at("feature").value,
    parameters: at("parameters").value.split(/\s+/).filter(Boolean),
    under: at("under").value,
    noise,
    unit: noise ? at("unit").value : null,
    epsilon: noise ? data.epsilons[slider.value] : null,
    delta: noise === "gaussian" ? number("delta") : null,
    at: place,
    block: place === "pixels" ? number("block") : null,
    clip: place === "feature" ? number("clip") : null,
    moves: place === "counts" ? number("moves") : null,
    total: place === "counts" ? number("total") : null,
  };
}
/* only what some noise can keep: the slider stays at its value, or at the nearest one */
function stops(list) {
  const now = data.epsilons[slider.value];
  const nearest = list.reduce((best, each) => (Math.abs(each - now) < Math.abs(best - now) ? each : best));
  data.epsilons = list;
  slider.max = list.length - 1;
  slider.value = list.indexOf(nearest);
  if (nearest !== now) state.again = "seen";
  describe();
}
function describe() {
  const shown = data.epsilons[slider.value].toLocaleString(data.language);
  at("epsilon-shown").textContent = shown;
  slider.setAttribute("aria-valuetext", shown);
  at("epsilons").hidden = !at("noise").value;
  at("counts").hidden = !at("noise").value || at("noise").value === "privunit" || at("at").value !== "counts";
  const known = data.features[at("feature").value];
  at("takes").textContent = known.map((each) => `${each.name} (${each.takes})`).join(", ");
  at("under-note").hidden = at("under").value === "clear";
}
function picture(id, key) {
  const url = `pictures/${key}`;
  if (at(id).getAttribute("src") !== url) at(id).src = url;
}
function told(answer) {
  at("noised").hidden = at("divider-row").hidden = !answer.noised;
  if (answer.noised) picture("noised", answer.noised);
  at("image-caption").textContent = say(answer.noised ? "picture.both" : "picture.image");
  at("sentences").replaceChildren(...answer.sentences.map((text) => element("li", text)));
  at("command").textContent = answer.command;
  at("python").textContent = answer.python;
}
async function draw(view = "seen") {
  describe();
  if (!state.image) return;
  if (state.drawing) {
    state.again = state.again === "seen" ? "seen" : view;
    return;
  }
  state.drawing = true;
  if (view === "seen") at("status").textContent = say("drawing");
  try {
    const answer = await post(`views/${view}`, asked());
    at("results").hidden = false;
    at("empty").hidden = true;
    told(answer);
    if (view === "seen") {
      picture("image", answer.image);
      picture("drawn", answer.drawn);
      at("released-figure").hidden = !answer.released;
      if (answer.released) picture("released", answer.released);
      at("attack").hidden = true;
      at("attack-run").hidden = false;
    }
    if (view === "seen" && answer.stops.length) stops(answer.stops);
    show(state.refused);
  } catch (error) {
    at("results").hidden = true; // they are of other settings than those that are chosen
    failed(error);
  }
  at("status").textContent = "";
  state.drawing = false;
  document.body.dataset.drawn = ++state.asked;
  if (state.again) {
    const next = state.again;
    state.again = null;
    draw(next);
  }
}
at("attack-run").addEventListener("click", async () => {
  const of = state.asked;
  at("attack-run").disabled = true;
  at("status").textContent = say("attacking");
  try {
    const answer = await post("views/attacked", asked());
    if (of === state.asked) {
      picture("attack", answer.attack);
      at("attack").hidden = false;
      at("attack-run").hidden = true;
    }
    show([]);
  } catch (error) {
    failed(error);
  }
  at("attack-run").disabled = false;
  at("status").textContent = "";
});
slider.addEventListener("input", () => draw("noised"));
slider.addEventListener("change", () => draw());
for (const id of ["feature", "noise", "unit", "at", "under", "block", "delta", "clip", "moves", "total", "parameters"])
  at(id).addEventListener("change", () => {
    state.refused = [];
    draw();
  });
at("pixels").addEventListener("change", () => {
  at("pane").classList.toggle("full", at("pixels").checked);
  at("pane").tabIndex = at("pixels").checked ? 0 : -1;
});
at("divider").addEventListener("input", () => at("compare").style.setProperty("--at", `${at("divider").value}%`));
at("controls").addEventListener("submit", (event) => event.preventDefault());
for (const button of document.querySelectorAll("button.copy"))
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(at(button.dataset.of).textContent);
    at("status").textContent = say("copied");
  });
describe();
list().then(() => draw()).catch(failed);
