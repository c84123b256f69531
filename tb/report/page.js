"use strict";
// Shows the fields of the frame or hop that is pointed at or has the focus, and fills folds when they are opened.
const run = JSON.parse(document.getElementById("frames").textContent);
const panel = document.getElementById("decoded");
let chosen = null;

function element(tag, text, parent) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (parent) parent.append(made);
  return made;
}

function pair(list, name, value) {
  element("dt", name, list);
  element("dd", value, list);
}

function count(number) {
  return number.toLocaleString("en");
}

// Empties the panel and names both times as the waves have them; gives the list to go on with.
function begin(label, first, start, last, end) {
  panel.replaceChildren();
  panel.classList.add("open");
  const close = element("button", "Close", panel);
  close.addEventListener("click", () => panel.classList.remove("open"));
  element("h3", label, panel);
  element("h3", "In the waves", panel);
  const list = element("dl", undefined, panel);
  pair(list, first, `${count(start)} ps`);
  pair(list, "", `${count(start / run.ns)} ns`);
  pair(list, "", `cycle ${count(Math.floor(start / run.cycle))}`);
  if (end !== start) {
    pair(list, last, `${count(end)} ps`);
    pair(list, "", `${count(end / run.ns)} ns`);
  }
  return list;
}

function decode(row) {
  if (row === chosen) return;
  if (chosen) chosen.classList.remove("chosen");
  chosen = row;
  row.classList.add("chosen");
  if (row.dataset.hop) {
    const [label, start, end, details] = run.hops[row.dataset.hop];
    const list = begin(label, "begins", start, "ends", end);
    for (const [name, value] of details) pair(list, name, value);
    return;
  }
  const [, label, start, end, size, fate, shape, ...values] = run.frames[row.dataset.frame];
  let list = begin(label, "first byte", start, "behind FCS", end);
  pair(list, "length", `${count(size)} bytes with FCS`);
  if (fate) pair(list, "fate", `${fate} on its way`);
  let layer = "";
  run.shapes[shape].forEach(([of, name], at) => {
    if (of !== layer) {
      layer = of;
      element("h3", of, panel);
      list = element("dl", undefined, panel);
    }
    pair(list, name, values[at]);
  });
}

function open(fold) {
  const list = fold.querySelector("ol");
  if (!fold.open || list.childElementCount) return;
  for (const number of fold.dataset.frames.split(" ")) {
    const [classes, label, , end] = run.frames[number];
    const row = element("button", undefined, element("li", undefined, list));
    row.className = `step ${classes}`;
    row.dataset.frame = number;
    const text = (end / run.us).toLocaleString("en", { minimumFractionDigits: 3, maximumFractionDigits: 3 });
    element("time", text, row);
    element("span", label, row);
  }
}

for (const happens of ["mouseover", "focusin", "click"]) {
  document.addEventListener(happens, (event) => {
    const row = event.target.closest("[data-frame], [data-hop]");
    // Where the panel covers the page, moving over a row is no wish to see it.
    if (row && (happens !== "mouseover" || matchMedia("(hover: hover)").matches)) decode(row);
    if (row && happens === "click") panel.classList.add("open");
  });
}
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") panel.classList.remove("open");
});
for (const fold of document.querySelectorAll(".fold")) fold.addEventListener("toggle", () => open(fold));
