// Elements without markup in strings, and changes only where something differs.

/** An element; `attributes` are set as they are, `text` as its text, `on` as listeners. */
export function createElement(tag, { text, on, ...attributes } = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  if (text !== undefined) node.textContent = text;
  for (const [name, listener] of Object.entries(on ?? {})) node.addEventListener(name, listener);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** Set a text if it differs; whether it did. */
export function setText(node, text) {
  const value = String(text);
  if (node.textContent === value) return false;
  node.textContent = value;
  return true;
}

/** Set a text that stands for a longer one, which is in its title and is what gets copied. */
export function setShortText(node, text, full) {
  const isShort = text !== full;
  setAttribute(node, "title", isShort ? full : null);
  setAttribute(node, "data-full", isShort ? full : null);
  return setText(node, text);
}

/** Set or remove an attribute if that changes anything. */
export function setAttribute(node, name, value) {
  if (value === null || value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else if (node.getAttribute(name) !== String(value)) {
    node.setAttribute(name, String(value));
  }
}

/** Make these the children of a node, moving only those that are elsewhere. */
export function setChildren(parent, children) {
  let next = parent.firstChild;
  for (const child of children) {
    if (child === next) next = next.nextSibling;
    else parent.insertBefore(child, next);
  }
  while (next) {
    const surplus = next;
    next = next.nextSibling;
    surplus.remove();
  }
}

/** Copy the whole value where a shortened one is selected. */
export function copyFullValues() {
  document.addEventListener("copy", (event) => {
    const selection = getSelection();
    const node = selection.anchorNode?.parentElement?.closest("[data-full]");
    if (!node || node !== selection.focusNode?.parentElement?.closest("[data-full]")) return;
    event.clipboardData.setData("text/plain", node.dataset.full);
    event.preventDefault();
  });
}

const FADE = { duration: 900, easing: "ease-out" };
const REDUCED_MOTION = matchMedia("(prefers-reduced-motion: reduce)");
const MAX_FLASHES_PER_SECOND = 12;
const flashes = { second: 0, count: 0, before: 0 };

/** Light a changed cell once. On a page where more than 12 change in a second, none lights. */
export function flash(node) {
  if (REDUCED_MOTION.matches || document.hidden || "past" in document.documentElement.dataset) return; // nothing moves in the past
  const second = Math.floor(performance.now() / 1000);
  if (second !== flashes.second) {
    Object.assign(flashes, { before: second === flashes.second + 1 ? flashes.count : 0, second, count: 0 });
  }
  flashes.count += 1;
  if (flashes.count > MAX_FLASHES_PER_SECOND || flashes.before > MAX_FLASHES_PER_SECOND) return;
  const colour = getComputedStyle(document.documentElement).getPropertyValue("--flash").trim();
  node.animate([{ backgroundColor: colour }, { backgroundColor: "transparent" }], FADE);
}
