// The table of a comparison: ranked rows, then control rows, then those that cannot be ranked.

import { formatAccountAddress } from "../address.js";
import { createColumnMenu } from "../components/column_menu.js";
import { createElement, setAttribute, setChildren } from "../components/dom.js";
import { createMoneyBadge } from "../components/money_badge.js";
import { shortenLabel } from "../format/instrument_format.js";
import { COMPARE_COLUMNS, fillCell, makeScales, setHead } from "./compare_columns.js";

const DEFAULT_COLUMNS = new Set(COMPARE_COLUMNS.filter(({ isOptional }) => !isOptional).map(({ key }) => key));
const MAX_NAME_CHARS = 26;

export class CompareTable {
  /** `onSort(sort)`, `onPin(key)`, `onPoint(key)` for the row that is pointed at, `onExpand(key)`. */
  constructor({ onSort, onPin, onPoint, onExpand, onColumns }) {
    Object.assign(this, { onSort, onPin, onPoint, onExpand, onColumns });
    this.rows = new Map();
    this.body = createElement("tbody", { role: "rowgroup" });
    this.others = createElement("tbody", { role: "rowgroup", class: "others" });
    this.heads = new Map(COMPARE_COLUMNS.map((column) => [column.key, this.#createHead(column)]));
    this.headRow = createElement("tr", { role: "row" });
    this.nameHead = createElement("th", { scope: "col", role: "columnheader", class: "name" }, createElement("button", { type: "button", text: "Name", on: { click: () => this.#sort("name") } }));
    this.element = createElement("table", { class: "grid compare", role: "table", "aria-label": "Comparison" },
      createElement("thead", { role: "rowgroup" }, this.headRow), this.body, this.others);
    const point = (event) => this.onPoint(event.target.closest("tr")?.dataset.key ?? null);
    this.element.addEventListener("pointerover", point);
    this.element.addEventListener("pointerleave", () => this.onPoint(null));
    this.element.addEventListener("focusin", point);
    Object.assign(this, createColumnMenu(COMPARE_COLUMNS.filter(({ key }) => key !== "return_pct"), (key, isWanted) => this.#toggleColumn(key, isWanted))); // `menu` and `boxes`
  }

  /** Show rows; `members` are shown below their group, `slots` are the pinned keys. */
  show({ rows, sort, slots, columns, members, expanded, offers, sharedFlags }) {
    this.sort = sort;
    this.sharedFlags = sharedFlags;
    this.columns = columns ?? DEFAULT_COLUMNS;
    const shown = COMPARE_COLUMNS.filter(({ key }) => key === "return_pct" || this.columns.has(key));
    for (const column of COMPARE_COLUMNS) setHead(this.heads.get(column.key), column, sort);
    setAttribute(this.nameHead, "aria-sort", sort.column === "name" ? (sort.descending ? "descending" : "ascending") : "none");
    for (const [key, box] of this.boxes) box.checked = this.columns.has(key);
    setChildren(this.headRow, [this.nameHead, ...shown.map(({ key }) => this.heads.get(key))]);
    const scales = makeScales([...rows, ...[...members.values()].flat()]);
    const ranked = rows.filter((row) => row.ranked);
    const controls = rows.filter((row) => row.kind === "control");
    const others = rows.filter((row) => !row.ranked && row.kind !== "control");
    const line = (row, options = {}) => this.#createRow(row, shown, scales, { slot: slots.get(row.key) ?? null, ...options });
    const group = (row) => [line(row, { canExpand: members.has(row.key), isExpanded: expanded.has(row.key) }),
      ...(expanded.has(row.key) ? sortRows(members.get(row.key) ?? [], sort).map((member) => line(member, { isMember: true })) : [])];
    this.body.replaceChildren(...sortRows(ranked, sort).flatMap(group), ...controls.map((row) => line(row)));
    this.others.replaceChildren(
      ...(others.length ? [createTitle(`Not ranked (${others.length})`, shown.length + 1, offers)] : []),
      ...sortRows(others, sort).flatMap(group));
  }

  /** Light the row of a line that is pointed at. */
  point(key) {
    for (const row of this.element.rows) row.toggleAttribute("data-lit", row.dataset.key === key && key !== null);
  }

  #createRow(row, columns, scales, { slot, isMember = false, canExpand = false, isExpanded = false }) {
    const isControl = row.kind === "control";
    const element = createElement("tr", { role: "row", "data-key": row.key, "data-kind": row.kind, "data-ranked": row.ranked ? "yes" : null, "data-member": isMember ? "yes" : null });
    const head = createElement("th", { scope: "row", role: "rowheader", class: "name" });
    const inner = createElement("div", { class: "compare-name" });
    if (!isMember) inner.append(isControl && row.key !== "cash" ? createElement("i", { class: "swatch dashed", "aria-hidden": "true" }) : isControl ? createElement("i", { class: "swatch none", "aria-hidden": "true" }) : this.#createPin(row, slot));
    if (canExpand) inner.append(createElement("button", { type: "button", class: "expand", "aria-expanded": String(isExpanded), "aria-label": `Members of ${row.key}`, text: isExpanded ? "▾" : "▸", on: { click: () => this.onExpand(row.key) } }));
    inner.append(...this.#createName(row));
    head.append(inner);
    element.append(head, ...columns.map((column) => {
      const cell = createElement("td", { role: "cell", class: `${column.key} ${column.kind}`, "data-label": column.name });
      fillCell(cell, column, row, scales);
      return cell;
    }));
    return element;
  }

  #createName(row) {
    const text = row.kind === "control" ? (row.key === "cash" ? "Cash" : row.key) : row.key;
    const label = row.accounts[0];
    const name = row.kind === "account" && label === row.key
      ? createElement("a", { href: formatAccountAddress(label), title: text, text: shortenLabel(text, MAX_NAME_CHARS) })
      : createElement("span", { class: "plain-name", title: text, text: shortenLabel(text, MAX_NAME_CHARS) });
    const badge = createMoneyBadge();
    badge.show(row.paper === false ? false : undefined);
    const about = [
      row.kind === "control" ? (row.key === "cash" ? "doing nothing" : "benchmark") : null,
      row.kind === "group" ? `${row.accounts.length} accounts` : row.tier,
      row.reason,
      ...row.flags.filter(({ flag }) => !this.sharedFlags.has(flag)).map(({ flag, detail }) => `▪ ${detail || flag.replaceAll("_", " ")}`),
    ].filter(Boolean).join(" · ");
    return [createElement("div", { class: "named" }, badge.element, name, createElement("small", { text: about, title: about }))];
  }

  #createPin(row, slot) {
    const isPinned = slot !== null;
    return createElement("button", {
      type: "button", class: "swatch", "data-slot": isPinned ? slot : null, "aria-pressed": String(isPinned),
      "aria-label": `${isPinned ? "Unpin" : "Pin"} ${row.key}`, title: isPinned ? "Unpin" : "Pin: in colour, with its name", on: { click: () => this.onPin(row.key) },
    });
  }

  #createHead(column) {
    return createElement("th", { scope: "col", role: "columnheader", class: `${column.key} ${column.kind}`, "aria-sort": "none" },
      createElement("button", { type: "button", text: column.name, title: column.about, on: { click: () => this.#sort(column.key) } }));
  }

  #sort(column) {
    const isSame = this.sort.column === column;
    this.onSort({ column, descending: isSame ? !this.sort.descending : column !== "name" });
  }

  #toggleColumn(key, isWanted) {
    const columns = new Set(this.columns);
    if (isWanted) columns.add(key);
    else columns.delete(key);
    const isUsual = columns.size === DEFAULT_COLUMNS.size && [...columns].every((each) => DEFAULT_COLUMNS.has(each));
    this.onColumns(isUsual ? null : columns);
  }
}

/** Rows in the chosen order; unknown values last both ways. */
export function sortRows(rows, { column, descending }) {
  const valueOf = column === "name" ? (row) => row.key.toLowerCase() : COMPARE_COLUMNS.find(({ key }) => key === column)?.sortValue ?? (() => null);
  const direction = descending ? -1 : 1;
  return rows.map((row) => [valueOf(row) ?? null, row]).sort(([a, left], [b, right]) => {
    if (a === b) return left.key < right.key ? -1 : 1;
    if (a === null || b === null) return a === null ? 1 : -1;
    return a < b ? -direction : direction;
  }).map(([, row]) => row);
}

function createTitle(text, span, offers) {
  const cell = createElement("th", { role: "rowheader", scope: "rowgroup", colspan: span }, createElement("div", {}, createElement("span", { text }), ...offers));
  return createElement("tr", { role: "row", class: "group-title" }, cell);
}
