// A stream of events shown as it comes; by fetch, since EventSource cannot send a token.

import { createElement } from "../components/dom.js";

const MAX_SAMPLES = 200;

/** Show what comes until `stop` is pressed or the end. */
export async function follow(url, headers, out, stop) {
  const shown = createElement("pre", {});
  const given = new AbortController();
  const halt = () => given.abort();
  out.append(shown);
  stop.hidden = false;
  stop.addEventListener("click", halt, { once: true });
  try {
    const answer = await fetch(url, { headers, signal: given.signal });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    const lines = [];
    for (let rest = ""; ;) {
      const { done, value } = await reader.read();
      if (done) break;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      lines.unshift(...blocks.map((block) => block.slice(0, 2000)).reverse());
      lines.length = Math.min(lines.length, MAX_SAMPLES);
      shown.textContent = lines.join("\n\n");
    }
    shown.prepend("the end came\n\n");
  } catch (error) {
    shown.prepend(given.signal.aborted ? "stopped\n\n" : `cut: ${error.message}\n\n`);
  } finally {
    stop.removeEventListener("click", halt);
    stop.hidden = true;
  }
}
