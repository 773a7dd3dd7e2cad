// Shows a stream of events as it arrives; with fetch, since EventSource cannot send a token.

import { createElement } from "../components/dom.js";

const MAX_SAMPLES = 200;

/** Show events until `stop` is pressed or the stream ends. */
export async function follow(url, headers, out, stop) {
  const shown = createElement("pre", {});
  const abort = new AbortController();
  const onStop = () => abort.abort();
  out.append(shown);
  stop.hidden = false;
  stop.addEventListener("click", onStop, { once: true });
  try {
    const response = await fetch(url, { headers, signal: abort.signal });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
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
    shown.prepend("the stream ended\n\n");
  } catch (error) {
    shown.prepend(abort.signal.aborted ? "stopped\n\n" : `connection lost: ${error.message}\n\n`);
  } finally {
    stop.removeEventListener("click", onStop);
    stop.hidden = true;
  }
}
