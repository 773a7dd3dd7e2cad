// Keys of the page: single letters, and two letters one after the other (`g c`).

const CHORD_MS = 1200; // the second letter comes within it

const TYPING = "input:not([type=range], [type=checkbox]), textarea, select, dialog";

/** Give `actions[key]` to `run` where no text is typed; keys of two letters are written `g c`. */
export function listenForKeys(actions, run) {
  const prefixes = new Set(Object.keys(actions).filter((key) => key.includes(" ")).map((key) => key.split(" ")[0]));
  let prefix = null;
  let timer = 0;
  addEventListener("keydown", (event) => {
    const isTyping = event.target.closest?.(TYPING);
    if (event.altKey || event.ctrlKey || event.metaKey || isTyping) return;
    const key = prefix ? `${prefix} ${event.key}` : event.key;
    prefix = !prefix && prefixes.has(event.key) ? event.key : null;
    clearTimeout(timer);
    if (prefix) timer = setTimeout(() => { prefix = null; }, CHORD_MS);
    if (!actions[key]) return;
    event.preventDefault();
    run(actions[key]);
  });
}
