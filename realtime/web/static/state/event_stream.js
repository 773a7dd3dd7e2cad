// One subscription to /realtime/events: reconnects, resumes, and pauses while the page is hidden.

const EVENTS = [
  "order", "orders", "account", "positions", "mark", "link", "row", "fleet", "gap", "gone", "ready", "resync", "heartbeat", "alert",
];
const SILENCE_TIMEOUT_MS = 20_000; // a heartbeat comes every 15 s
const MIN_RETRY_MS = 500;
const MAX_RETRY_MS = 8_000;
const MAX_RESUMES = 2; // failed attempts to resume before a snapshot is requested

/**
 * `params(isSnapshot)` gives the query: that of the snapshot, and once it is complete, that for
 * going on from its last id. `onEvent(name, data)` is called for each event, `onStateChange(state)`
 * for each change of the stream's state: `connecting`, `connected`, `disconnected`, `paused`.
 */
export class EventStream {
  constructor({ params, onEvent, onStateChange }) {
    this.params = params;
    this.onEvent = onEvent;
    this.onStateChange = onStateChange;
    this.lastId = "";
    this.lastEventAt = 0;
    this.failures = 0;
    this.state = "connecting";
    this.source = null;
    this.retryMs = MIN_RETRY_MS;
    this.timer = 0;
    this.watchdog = setInterval(() => this.#checkSilence(), 1000);
    this.onVisibility = () => (document.hidden ? this.#pause() : this.#resume());
    document.addEventListener("visibilitychange", this.onVisibility);
    if (document.hidden) this.#setState("paused");
    else this.#open();
  }

  end() {
    document.removeEventListener("visibilitychange", this.onVisibility);
    clearInterval(this.watchdog);
    clearTimeout(this.timer);
    this.#close();
  }

  /** The daemon does not answer: connect again, whatever the browser knows of the connection. */
  reconnect() {
    if (this.source) this.#disconnect();
  }

  /** The query has changed: go on with it from the last event. */
  renew() {
    if (this.source && this.lastId && this.state === "connected") this.#open();
  }

  #open() {
    this.#close();
    const query = new URLSearchParams(this.params(!this.lastId));
    if (this.lastId) query.set("last_event_id", this.lastId);
    const wanted = JSON.stringify(this.params(false));
    const isFinal = JSON.stringify(this.params(!this.lastId)) === wanted;
    const source = new EventSource(`realtime/events?${query}`);
    this.source = source;
    this.lastEventAt = performance.now();
    for (const name of EVENTS) {
      source.addEventListener(name, (event) => {
        if (source === this.source) this.#handleMessage(name, event, isFinal);
      });
    }
    source.addEventListener("error", () => {
      if (source === this.source) this.#disconnect();
    });
  }

  #handleMessage(name, event, isFinal) {
    this.lastEventAt = performance.now();
    this.lastId = event.lastEventId;
    if (name === "resync") this.lastId = "";
    this.onEvent(name, JSON.parse(event.data));
    if (name === "resync" && JSON.stringify(this.params(true)) !== JSON.stringify(this.params(false))) return this.#open();
    if (name !== "ready") return;
    this.retryMs = MIN_RETRY_MS;
    this.failures = 0;
    this.#setState("connected");
    if (!isFinal) this.#open();
  }

  #disconnect() {
    this.#close();
    this.failures += 1;
    // Where only some rows are followed, one of them may have left the configuration: begin again.
    if (this.failures > MAX_RESUMES && "rows" in this.params(false)) this.lastId = "";
    this.#setState("disconnected");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#open(), this.retryMs * (0.5 + Math.random() / 2));
    this.retryMs = Math.min(MAX_RETRY_MS, this.retryMs * 2);
  }

  #checkSilence() {
    if (this.source && performance.now() - this.lastEventAt > SILENCE_TIMEOUT_MS) this.#disconnect();
  }

  #pause() {
    clearTimeout(this.timer);
    this.#close();
    this.#setState("paused");
  }

  #resume() {
    if (this.state !== "paused") return;
    this.retryMs = MIN_RETRY_MS;
    this.#setState("connecting");
    this.#open();
  }

  #close() {
    this.source?.close();
    this.source = null;
  }

  #setState(state) {
    if (state === this.state) return;
    this.state = state;
    this.onStateChange(state);
  }
}
