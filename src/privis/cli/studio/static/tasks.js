"use strict";
/* Forms of tasks, and the commands that they start: progress, a stop button, the result as a table or as boxes. */
const values = (form) =>
  Object.fromEntries([...form.querySelectorAll("[data-name]")].map((each) => [each.dataset.name, each.value]));
function labelled(text, control) {
  const label = element("label", text);
  label.append(control);
  return label;
}
function choice(options, known) {
  const select = element("select");
  for (const option of options) select.append(new Option(known[option] ?? option, option));
  return select;
}

/* the forms of a view: which task, which images, and its fields */
function names(field) {
  const key = (option) => data.messages[`${field.name}.${option}`] ?? option;
  return Object.fromEntries(field.choices.map((option) => [option, key(option)]));
}
const watches = {};
function panel(view) {
  const known = Object.entries(data.tasks).filter(([, task]) => task.view === view).map(([name]) => name);
  const task = choice(known, Object.fromEntries(known.map((name) => [name, say(`task.${name}`)])));
  const fields = element("div", "", { class: "controls" });
  const start = element("button", say("run"), { type: "submit", class: "run" });
  const stop = element("button", say("stop"), { type: "button", class: "stop", hidden: "" });
  const controls = at(`${view}-controls`);
  controls.append(labelled(say("task"), task), fields, start, stop);
  function form() {
    const chosen = data.tasks[task.value];
    const typed = values(fields);
    const picked = [...fields.querySelectorAll("[data-image]")].map((each) => each.dataset.picked);
    const made = [];
    for (let index = 0; index < chosen.images; index++) {
      const named = Object.fromEntries(state.images.map((each) => [each.key, each.name]));
      const select = choice(Object.keys(named), named);
      select.dataset.image = index;
      select.addEventListener("change", () => (select.dataset.picked = select.value));
      if (picked[index] in named) select.value = select.dataset.picked = picked[index];
      else select.selectedIndex = Math.min(index, state.images.length - 1);
      made.push(labelled(say(chosen.images > 1 ? `image.${index}` : "image"), select));
    }
    for (const field of chosen.fields) {
      const control = field.choices.length
        ? choice(field.choices, names(field))
        : element("input", "", { type: "text", spellcheck: "false" });
      control.dataset.name = field.name;
      const before = typed[field.name];
      if (before && (!field.choices.length || field.choices.includes(before))) control.value = before;
      if (field.required) control.setAttribute("aria-required", "true");
      made.push(labelled(say(`field.${field.name}`), control));
    }
    if (chosen.images && !state.images.length) made.unshift(element("p", say("task.empty"), { class: "note" }));
    fields.replaceChildren(...made);
  }
  task.addEventListener("change", form);
  tabs.find((tab) => tab.id === `tab-${view}`).addEventListener("click", form);
  document.addEventListener("listed", form);
  form();

  let running = null;
  controls.addEventListener("submit", async (event) => {
    event.preventDefault();
    show([]);
    const images = [...fields.querySelectorAll("[data-image]")].map((each) => each.value).filter(Boolean);
    try {
      await watch(await post("views/start", { task: task.value, images, values: values(fields) }));
    } catch (error) {
      await attach().catch(failed); // where another one runs, it is shown, with what stops it
      failed(error);
    }
  });
  async function watch(begun) {
    running = begun.key;
    start.disabled = true;
    stop.hidden = false;
    await follow(view, begun, begun.images).catch(failed);
    running = null;
    start.disabled = false;
    stop.hidden = true;
  }
  watches[view] = (begun) => running || void watch(begun);
  stop.addEventListener("click", () => running && request(`commands/${running}`, { method: "DELETE" }).catch(failed));
}
/* what runs although this page did not start it: it was loaded again, or another one is open */
async function attach() {
  for (const begun of await request("commands")) {
    open(at(`tab-${begun.view}`));
    watches[begun.view](begun);
  }
}
panel("task");
panel("choose");
attach().catch(failed);

async function follow(view, begun, images) {
  const bar = element("progress", "", { "aria-label": say("progress") });
  const line = element("p", "", { "aria-live": "off" }); // a clock that is read aloud would drown everything else
  const lines = element("pre", "", { tabindex: "0" });
  const result = element("div", "", { class: "scroll", tabindex: "0" });
  at(`${view}-results`).replaceChildren(line, bar, result, element("h2", say("command")), ...copied(begun.command), lines);
  for (;;) {
    const told = await request(`commands/${begun.key}`);
    line.textContent = say(`state.${told.state}`, { seconds: told.seconds.toFixed(1) });
    if (told.left > 0) {
      line.textContent += ` ${say("state.left", { seconds: Math.ceil(told.left) })}`;
      bar.value = told.seconds / told.predicted;
    } else bar.removeAttribute("value"); // longer than predicted, or never predicted
    lines.textContent = told.lines.join("\n");
    lines.hidden = !told.lines.length || told.state === "stopped";
    if (told.state !== "running") {
      line.setAttribute("aria-live", "polite");
      line.textContent += " ";
      bar.remove();
      if (told.result !== null) result.append(...drawn(told.result, images));
      else if (told.text) result.append(element("pre", told.text, { tabindex: "0" }));
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 400));
  }
}
function copied(text) {
  const button = element("button", say("copy"), { type: "button", class: "copy" });
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text);
    at("status").textContent = say("copied");
  });
  return [element("pre", text, { tabindex: "0" }), button];
}

/* a JSON document as people read it */
const isTable = (value) => Array.isArray(value) && value.length && value.every((row) => row && typeof row === "object");
function drawn(value, images) {
  if (value.recommended !== undefined) return recommended(value);
  const boxes = found(value);
  return boxes.length ? [overlay(boxes, images[0]), tree(value)] : [tree(value)];
}
function recommended(answer) {
  const made = [element("p", answer.why)];
  if (answer.recommended) {
    const lines = [...answer.recommended.before, answer.recommended.command];
    made.push(element("h2", say("choose.recommended")), ...copied(lines.join("\n")));
  }
  const columns = ["feature", "under", "release", "seconds", "memory_mib", "megabytes", "epsilon", "accuracy"];
  const figure = (value) => (value === null || typeof value !== "object" ? value : `${value.metric} ${value.value}`);
  const ways = [answer.recommended, ...answer.alternatives].filter(Boolean);
  const shown = ways.map((way) => Object.fromEntries(columns.map((name) => [say(`choose.${name}`), figure(way[name])])));
  if (shown.length) made.push(element("h2", say("choose.ways")), tree(shown));
  if (answer.excluded.length) {
    const why = answer.excluded.map((each) => ({ [say("choose.what")]: each.what, [say("choose.why")]: each.why }));
    made.push(element("h2", say("choose.excluded")), tree(why));
  }
  return made;
}
function found(value) {
  if (!value || typeof value !== "object") return [];
  if (isTable(value) && "w" in value[0] && "h" in value[0]) return value;
  return Object.values(value).flatMap(found);
}
function tree(value) {
  if (isTable(value)) {
    const columns = [...new Set(value.flatMap((row) => Object.keys(row)))];
    const table = element("table");
    const head = table.createTHead().insertRow();
    for (const column of columns) head.append(element("th", column, { scope: "col" }));
    const body = table.createTBody();
    for (const row of value.slice(0, 200)) {
      const line = body.insertRow();
      for (const column of columns) line.insertCell().append(tree(row[column] ?? null));
    }
    return table;
  }
  if (value && typeof value === "object" && !Array.isArray(value)) {
    const table = element("table");
    for (const [key, each] of Object.entries(value)) {
      const line = table.insertRow();
      line.append(element("th", key, { scope: "row" }));
      line.insertCell().append(tree(each));
    }
    return table;
  }
  if (typeof value === "number")
    return document.createTextNode(value.toLocaleString(data.language, { maximumSignificantDigits: 4 }));
  const text = Array.isArray(value) ? value.map((each) => JSON.stringify(each)).join(", ") : value;
  return document.createTextNode(text === null ? "–" : typeof text === "boolean" ? say(`answer.${text}`) : String(text));
}
function overlay(boxes, key) {
  const image = state.images.find((each) => each.key === key);
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", `0 0 ${image.width} ${image.height}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", say("boxes", { count: boxes.length }));
  const picture = document.createElementNS(space, "image");
  picture.setAttribute("href", `images/${key}`);
  picture.setAttribute("width", image.width);
  picture.setAttribute("height", image.height);
  svg.append(picture);
  for (const box of boxes) {
    const rectangle = document.createElementNS(space, "rect");
    for (const [name, from] of [["x", "x"], ["y", "y"], ["width", "w"], ["height", "h"]])
      rectangle.setAttribute(name, box[from]);
    svg.append(rectangle);
  }
  return svg;
}

/* ledgers */
const path = element("input", "", { type: "text", spellcheck: "false", "data-name": "ledger" });
at("ledger-controls").append(labelled(say("field.ledger"), path), element("button", say("look"), { type: "submit", class: "run" }));
at("ledger-controls").addEventListener("submit", async (event) => {
  event.preventDefault();
  show([]);
  try {
    const told = await post("views/budget", values(at("ledger-controls")));
    const sentence = say("budget", { epsilon: told.epsilon, delta: told.delta, total: told.total });
    const table = element("table");
    table.append(element("caption", say("budget.caption")));
    const head = table.createTHead().insertRow();
    for (const key of ["account", "charges", "spent", "left", "share"])
      head.append(element("th", say(`budget.${key}`), { scope: "col" }));
    const body = table.createTBody();
    for (const each of told.accounts) {
      const line = body.insertRow();
      line.append(element("th", each.account, { scope: "row" }));
      for (const key of ["charges", "spent", "left"]) line.insertCell().textContent = each[key];
      line.insertCell().append(element("progress", "", { value: each.share, "aria-label": say("budget.share") }));
    }
    const scroll = element("div", "", { class: "scroll" });
    scroll.append(table);
    at("ledger-results").replaceChildren(element("p", sentence), scroll);
  } catch (error) {
    failed(error);
  }
});

/* card and report of what the first view shows */
at("card-controls").addEventListener("submit", async (event) => {
  event.preventDefault();
  show(state.image ? [] : [say("task.empty")]);
  if (!state.image) return;
  at("status").textContent = say("drawing");
  try {
    const told = await post("views/documented", asked());
    const open = element("a", say("card.report"), { href: `reports/${told.report}`, target: "_blank", rel: "noopener" });
    const save = element("a", say("card.save"), { href: `reports/${told.report}`, download: "report.html" });
    const links = element("p");
    links.append(open, " · ", save);
    const scroll = element("div", "", { class: "scroll", tabindex: "0" });
    scroll.append(tree(told.card));
    at("card-results").replaceChildren(links, element("h2", say("card")), scroll);
  } catch (error) {
    failed(error);
  }
  at("status").textContent = "";
});
