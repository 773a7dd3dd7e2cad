// The choice of a table's columns: a button that opens a list of boxes.

import { createElement } from "./dom.js";

/** The menu, and the box of each column by its key. `onToggle(key, isWanted)` when one changes. */
export function createColumnMenu(columns, onToggle) {
  const boxes = new Map();
  const items = columns.map(({ key, name }) => {
    const box = createElement("input", { type: "checkbox", on: { change: () => onToggle(key, box.checked) } });
    boxes.set(key, box);
    return createElement("label", {}, box, createElement("span", { text: name }));
  });
  const menu = createElement("details", { class: "menu" }, createElement("summary", { class: "chip", text: "Columns" }), createElement("div", { class: "menu-list" }, ...items));
  menu.addEventListener("focusout", (event) => { if (!menu.contains(event.relatedTarget)) menu.open = false; });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    event.stopPropagation();
    menu.open = false;
    menu.firstElementChild.focus();
  });
  return { menu, boxes };
}
