"use strict";
// The journey of the segment that is chosen, the fields of what is pointed at or has the focus, and folds when
// they are opened. A segment is chosen by its frame's number in the capture: #segment=57.
const run = JSON.parse(document.getElementById("frames").textContent);
const traced = run.traced;
const panel = document.getElementById("decoded");
const list = document.getElementById("segment");
const section = document.getElementById("journey");
let pointed = null;
let chosen = -1;
let rows = [];

function element(tag, text, parent, classes) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (classes) made.className = classes;
  if (parent) parent.append(made);
  return made;
}

function number(value, digits = 0) {
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function frame(index) {
  const [classes, label, start, end, size, fate, shape, before, again, acked, ...values] = run.frames[index];
  return { classes, label, start, end, size, fate, names: run.shapes[shape], before, again, acked, values };
}

function hop(place) {
  const [track, name, start, lasts, shape, ...values] = traced.hops[place];
  const [where, layer] = traced.tracks[track];
  return { where, layer, name, start, lasts, names: traced.names[shape], values };
}

// ---- the panel

function pair(parent, name, value) {
  element("dt", name, parent);
  return element("dd", value, parent);
}

function copier(parent, text) {
  const button = element("button", "copy", parent, "copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const field = element("textarea", undefined, document.body);
      field.value = text;
      field.select();
      document.execCommand("copy");
      field.remove();
    }
    button.textContent = "copied";
  });
}

// Empties the panel and names both times as the waves have them; gives the list to go on with.
function begin(label, first, start, last, end) {
  panel.replaceChildren();
  panel.classList.add("open");
  const close = element("button", "Close", panel, "close");
  close.addEventListener("click", () => panel.classList.remove("open"));
  element("h3", label, panel);
  const head = element("h3", "In the waves", panel);
  const times = element("dl", undefined, panel);
  copier(pair(times, first, `${number(start)} ps `), `${start}`);
  pair(times, "", `${number(start / run.ns, 1)} ns`);
  pair(times, "", `cycle ${number(Math.floor(start / run.cycle))}`);
  if (end !== start) {
    pair(times, last, `${number(end)} ps`);
    pair(times, "", `${number(end / run.ns, 1)} ns`);
  }
  if (run.waves) {
    const [from, until, command] = run.waves;
    if (start < from || start > until) {
      head.textContent = "When";
      pair(times, "GTKWave", "these waves do not have it");
    } else {
      const line = pair(times, "GTKWave", undefined);
      element("code", `${command} ${start}ps`, line);
      copier(line, `${command} ${start}ps`);
    }
  } else head.textContent = "When";
  return times;
}

function fields(names, values, into) {
  let layer = "";
  names.forEach(([of, name], at) => {
    if (of !== layer) {
      layer = of;
      element("h3", of, panel);
      into = element("dl", undefined, panel);
    }
    pair(into, name, values[at]);
  });
}

function decodeFrame(index) {
  const { label, start, end, size, fate, names, values } = frame(index);
  const about = begin(`Frame ${index + 1}: ${label}`, "first byte", start, "behind FCS", end);
  pair(about, "length", `${number(size)} bytes with FCS`);
  if (fate) pair(about, "fate", `${fate} on its way`);
  if (index !== chosen || !inView(section)) {
    const link = element("a", "Its journey", panel, "go");
    link.href = `#segment=${index + 1}`;
  }
  fields(names, values, about);
}

function decodeHop(place) {
  const { where, layer, name, start, lasts, names, values } = hop(place);
  const about = begin(`${where} · ${layer}: ${name}`, "begins", start, "ends", start + (lasts || 0));
  fields(names, values, about);
}

function inView(part) {
  const { top, bottom } = part.getBoundingClientRect();
  return top < innerHeight && bottom > 0;
}

function decode(row) {
  if (row === pointed) return;
  if (pointed) pointed.classList.remove("pointed");
  pointed = row;
  row.classList.add("pointed");
  if (row.dataset.frame) decodeFrame(Number(row.dataset.frame));
  else decodeHop(row.dataset.hop);
}

// ---- the journey

// What a segment went through, in order: hops of the trace, or only the wire's if it was not traced.
function hops(index) {
  const places = (traced && traced.journeys[index]) || [];
  const { classes, start, end, fate } = frame(index);
  if (places.length) {
    // What was read at the other end came there in another frame, if this one did not arrive whole.
    const far = classes.startsWith("ab") ? "host B" : "host A";
    const mine = ({ where, layer }) => !fate || where !== far || layer.startsWith("NIC");
    return places.map((place) => ({ ...hop(place), place })).filter(mine);
  }
  const layer = classes.startsWith("ab") ? "A → B" : "B → A";
  return [{ where: "wire", layer, name: "frame", start, lasts: end - start, place: null }];
}

// Gives a function from time to a place between 0 and 1. Where for long nothing happens, that is drawn shorter;
// `cuts` has where.
function scale(journey) {
  const times = [...new Set(journey.flatMap((one) => [one.start, one.start + (one.lasts || 0)]))].sort((a, b) => a - b);
  const parts = [];
  for (let i = 1; i < times.length; i++) {
    const [from, to] = [times[i - 1], times[i]];
    const busy = journey.some((one) => one.lasts && one.start <= from && one.start + one.lasts >= to);
    parts.push({ from, to, drawn: to - from, busy });
  }
  const total = () => parts.reduce((sum, part) => sum + part.drawn, 0);
  const cuts = [];
  for (const part of [...parts].sort((a, b) => b.drawn - a.drawn)) {
    const rest = total() - part.drawn;
    if (part.busy || !rest || part.drawn < rest) continue;
    part.drawn = rest / 3;
    cuts.push(part);
  }
  const all = total() || 1;
  const place = (time) => {
    let sum = 0;
    for (const part of parts) {
      if (time >= part.to) sum += part.drawn;
      else if (time > part.from) sum += (part.drawn * (time - part.from)) / (part.to - part.from);
    }
    return sum / all;
  };
  return [place, cuts];
}

// The most telling of its fields; the panel has all.
function briefly({ names = [], values }) {
  const left = ["address", "AXI ID", "frame", "bursts", "seq", "ack", "sequence numbers"];
  const say = (name, value) => (name === "bytes" ? `${number(Number(value))} bytes` : `${name} ${value}`);
  const told = names.map(([of, name], at) => (of || left.includes(name) ? "" : say(name, values[at])));
  return told.filter(Boolean).join(", ");
}

const COLOURS = { "host A": "a", "host B": "b", wire: "w" };

function drawHop(one, before, place, cuts, parent) {
  for (const cut of cuts) {
    if (cut.from >= before && cut.to <= one.start) {
      element("li", `⋮ ${number((cut.to - cut.from) / run.ns, 1)} ns in which nothing of this happens, drawn shorter`, parent, "cut");
    }
  }
  const row = element("button", undefined, element("li", undefined, parent), "hop");
  if (one.where === "wire" || one.place === null) row.dataset.frame = chosen;
  else row.dataset.hop = one.place;
  element("time", number(one.start / run.ns, 1), row);
  element("i", `+${number((one.start - before) / run.cycle, 1)}`, row);
  const text = element("span", undefined, row);
  element("b", one.layer, text);
  text.append(` ${one.name}`);
  const told = briefly(one);
  if (told) element("small", ` ${told}`, text);
  if (one.lasts) element("small", `${told ? "," : ""} ${number(one.lasts / run.ns, 1)} ns, ${number(one.lasts / run.cycle, 1)} cycles`, text);
  const lane = element("u", undefined, row);
  const bar = element("s", undefined, lane, one.layer.startsWith("NIC") ? "n" : COLOURS[one.where]);
  const from = 100 * place(one.start);
  bar.style.left = `min(${from.toFixed(2)}%, 100% - 3px)`;
  bar.style.width = `${(100 * place(one.start + (one.lasts || 0)) - from).toFixed(2)}%`;
}

function note(parent, text, to, label) {
  const line = element("p", text, parent);
  if (to === null || to === undefined) return;
  const link = element("a", label || `frame ${to + 1}`, line);
  link.href = `#segment=${to + 1}`;
}

function why(index) {
  if (!traced) return "This run was not traced, so only its time on the wire is known: fdwire sim --trace follows every segment through every layer.";
  const known = "so only this frame's time on the wire is known";
  if (index >= traced.journeys.length) {
    if (traced.ended === null) return `The page has the journeys of the first ${number(traced.journeys.length)} frames; those of all are in trace.perfetto-trace.`;
    const until = `${number(traced.ended / run.us)} µs`;
    return traced.full ? `The trace was full at ${until}, ${known}.` : `Journeys are recorded up to ${until}, ${known}: fdwire sim --trace records all.`;
  }
  return "This is no TCP segment: only its time on the wire is known.";
}

function drawJourney(index) {
  const about = document.getElementById("about");
  const drawn = document.getElementById("hops");
  const came = document.getElementById("came");
  for (const part of [about, drawn, came]) part.replaceChildren();
  const { label, start, end, fate, before, again, acked } = frame(index);
  const journey = hops(index);
  const first = journey[0];
  const last = Math.max(...journey.map((one) => one.start + (one.lasts || 0)));
  const span = last - first.start;
  element("p", undefined, about).append(element("b", `Frame ${index + 1}: ${label}`));
  element("p", `${number(span / run.ns, 1)} ns, ${number(span / run.cycle, 1)} cycles of the NIC's clock. Each line has the simulated time in ns, the cycles since the line before, and what happened; its bar is its place in the whole.`, about);
  if (first.place === null) element("p", why(index), about, "note");
  const [place, cuts] = scale(journey);
  let at = first.start;
  let where = "";
  for (const one of journey) {
    if (one.where !== where) element("li", one.where, drawn, "where");
    where = one.where;
    drawHop(one, at, place, cuts, drawn);
    at = one.start;
  }
  if (fate === "lost") note(came, "✕ Lost on its way: the link dropped it.");
  if (fate === "corrupted") note(came, "✕ Corrupted on its way: whoever receives it finds that the FCS is wrong.");
  if (before !== null) note(came, "↻ Its first byte had been sent before, in ", before);
  if (again !== null) note(came, `↻ Sent again ${number((frame(again).start - start) / run.us, 3)} µs later, in `, again);
  if (acked !== null) note(came, `✓ Acknowledged ${number((frame(acked).end - end) / run.us, 3)} µs after its end, by `, acked);
}

function choose(index) {
  if (!run.frames[index] || index === chosen) return;
  chosen = index;
  for (const row of document.querySelectorAll(".step.chosen")) row.classList.remove("chosen");
  for (const row of document.querySelectorAll(`.step[data-frame="${index}"]`)) row.classList.add("chosen");
  list.value = index;
  document.getElementById("earlier").disabled = index === 0;
  document.getElementById("later").disabled = index === run.frames.length - 1;
  drawJourney(index);
  mark();
}

// The same, and the page's address names it from now on.
function chooseAndName(index) {
  choose(index);
  try {
    history.replaceState(null, "", `#segment=${chosen + 1}`);
  } catch {
    // Within another page it has no address of its own.
  }
}

function named() {
  const found = /^#segment=(\d+)$/.exec(location.hash);
  return found && run.frames[found[1] - 1] ? found[1] - 1 : null;
}

// ---- its place in connections and plots

function open(fold) {
  const inside = fold.querySelector("ol");
  if (!fold.open || inside.childElementCount) return;
  for (const index of fold.dataset.frames.split(" ").map(Number)) {
    const { classes, label, end } = frame(index);
    const row = element("button", undefined, element("li", undefined, inside), `step ${classes}`);
    row.dataset.frame = index;
    row.classList.toggle("chosen", index === chosen);
    element("time", number(end / run.us, 3), row);
    element("span", label, row);
  }
}

function goToPlace() {
  for (const fold of document.querySelectorAll(".fold")) {
    if (fold.dataset.frames.split(" ").includes(String(chosen))) {
      fold.open = true;
      open(fold);
    }
  }
  const row = document.querySelector(`.step[data-frame="${chosen}"]`);
  if (!row) return;
  row.scrollIntoView({ block: "center" });
  row.focus({ preventScroll: true });
}

function mark() {
  for (const ring of document.querySelectorAll(".ring")) ring.remove();
  run.plots.forEach((points, plot) => {
    const point = points.find(([index]) => index === chosen);
    if (!point) return;
    const drawing = document.querySelector(`[data-plot="${plot}"]`);
    const { width, height } = drawing.viewBox.baseVal;
    const ring = element("i", undefined, drawing.parentElement, "ring");
    ring.style.left = `${(100 * point[1]) / width}%`;
    ring.style.top = `${(100 * point[2]) / height}%`;
  });
}

function choosePoint(plot, event) {
  const onScreen = plot.getScreenCTM();
  const far = ([, x, y]) => {
    const point = new DOMPoint(x, y).matrixTransform(onScreen);
    return (point.x - event.clientX) ** 2 + (point.y - event.clientY) ** 2;
  };
  const points = run.plots[plot.dataset.plot];
  const [index] = points.reduce((best, point) => (far(point) < far(best) ? point : best));
  chooseAndName(index);
  decodeFrame(index);
}

function stepInPlot(plot, by) {
  const points = run.plots[plot.dataset.plot];
  const at = points.findIndex(([index]) => index === chosen);
  const next = points[Math.min(Math.max(at + by, 0), points.length - 1)][0];
  chooseAndName(next);
  decodeFrame(next);
}

// ---- what the reader does

for (const happens of ["mouseover", "focusin", "click"]) {
  document.addEventListener(happens, (event) => {
    const row = event.target.closest("[data-frame], [data-hop]");
    if (!row) return;
    // Where the panel covers the page, moving over a row is no wish to see it.
    if (happens !== "mouseover" || matchMedia("(hover: hover)").matches) decode(row);
    if (happens !== "click") return;
    if (row.classList.contains("step")) chooseAndName(Number(row.dataset.frame));
    panel.classList.add("open");
  });
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target === list) return;
  const row = event.target.closest(".step, .hop");
  const plot = event.target.closest("[data-plot]");
  const by = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  if (event.key === "Escape") panel.classList.remove("open");
  else if (event.key === "n") chooseAndName(Math.min(chosen + 1, run.frames.length - 1));
  else if (event.key === "p") chooseAndName(Math.max(chosen - 1, 0));
  else if (event.key === "j") section.scrollIntoView();
  else if (by && plot) stepInPlot(plot, by);
  else if (by && row) {
    const all = [...document.querySelectorAll(row.matches(".step") ? ".step" : ".hop")];
    const next = all[all.indexOf(row) + by];
    if (next) next.focus();
  } else return;
  if (by) event.preventDefault();
});
for (const plot of document.querySelectorAll("[data-plot]")) plot.addEventListener("click", (event) => choosePoint(plot, event));
for (const fold of document.querySelectorAll(".fold")) fold.addEventListener("toggle", () => open(fold));
for (const [name, indices] of run.lists) {
  const group = element("optgroup", undefined, list);
  group.label = name;
  for (const index of indices) {
    const { classes, label } = frame(index);
    element("option", `${index + 1} ${classes.startsWith("ab") ? "A → B" : "B → A"} ${label}`, group).value = index;
  }
}
list.addEventListener("change", () => chooseAndName(Number(list.value)));
document.getElementById("earlier").addEventListener("click", () => chooseAndName(chosen - 1));
document.getElementById("later").addEventListener("click", () => chooseAndName(chosen + 1));
document.getElementById("place").addEventListener("click", goToPlace);
addEventListener("hashchange", () => {
  if (named() === null) return;
  choose(named());
  section.scrollIntoView();
});
if (run.frames.length) {
  choose(named() ?? run.first);
  if (named() !== null) section.scrollIntoView();
} else section.remove();
