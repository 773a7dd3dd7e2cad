// Elements without markup in strings: text is only ever text.

/** An element; `attributes` are set as they are, `text` as its text, `on` as listeners. */
export function make(tag, { text, on, ...attributes } = {}, ...children) {
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

/** Set a text only if it is another one; whether it was. */
export function say(node, text) {
  const words = String(text);
  if (node.textContent === words) return false;
  node.textContent = words;
  return true;
}

/** Set or remove an attribute only if that changes anything. */
export function mark(node, name, value) {
  if (value === null || value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else if (node.getAttribute(name) !== String(value)) {
    node.setAttribute(name, String(value));
  }
}

/** Make the children of a node these, moving only what is elsewhere. */
export function arrange(parent, children) {
  let next = parent.firstChild;
  for (const child of children) {
    if (child === next) next = next.nextSibling;
    else parent.insertBefore(child, next);
  }
  while (next) {
    const gone = next;
    next = next.nextSibling;
    gone.remove();
  }
}

const FADE = { duration: 900, easing: "ease-out" };
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

/** Let a cell's ground light up and fade: for better (1), for worse (-1), or merely changed (0). */
export function flash(node, direction) {
  if (STILL.matches || document.hidden) return;
  node.animate([{ backgroundColor: colour(["--flash-down", "--flash", "--flash-up"][direction + 1]) }, { backgroundColor: "transparent" }], FADE);
}

/** The same in ink, for large figures. */
export function glow(node, direction) {
  if (STILL.matches || document.hidden) return;
  node.animate([{ color: colour(direction > 0 ? "--gain" : "--loss") }, {}], FADE);
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
