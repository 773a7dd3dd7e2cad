// One subscription to /realtime/events that survives cuts, and rests while nobody looks.

const EVENTS = [
  "order", "orders", "account", "positions", "link", "row", "gap", "gone", "ready", "resync", "heartbeat",
];
const SILENT_MS = 20_000; // a heartbeat comes every 15 s
const RETRY_LEAST_MS = 500;
const RETRY_MOST_MS = 8_000;

/**
 * `first` are the types of the snapshot, `types` those from then on: once the snapshot is in, the
 * stream goes on with `types` from its last id, so that nobody loads orders only to hear of fills.
 *
 * `hear(name, data)` is called with each event, `turn(state)` with each change of the stream's own
 * state: `connecting`, `live`, `lost`, `resting`.
 */
export class Stream {
  constructor({ account = null, first = null, types, hear, turn }) {
    this.account = account;
    this.first = first ?? types;
    this.types = types;
    this.hear = hear;
    this.turn = turn;
    this.lastId = "";
    this.heardAt = 0;
    this.state = "connecting";
    this.source = null;
    this.retryMs = RETRY_LEAST_MS;
    this.timer = 0;
    this.watch = setInterval(() => this.#look(), 1000);
    this.look = () => (document.hidden ? this.#rest() : this.#wake());
    document.addEventListener("visibilitychange", this.look);
    if (document.hidden) this.#set("resting");
    else this.#open();
  }

  end() {
    document.removeEventListener("visibilitychange", this.look);
    clearInterval(this.watch);
    clearTimeout(this.timer);
    this.#close();
  }

  /** The daemon does not answer: whatever the browser believes of the connection, begin again. */
  suspect() {
    if (this.source) this.#lose();
  }

  #address() {
    const query = new URLSearchParams({ types: this.lastId ? this.types : this.first });
    if (this.account !== null) query.set("account_id", this.account);
    if (this.lastId) query.set("last_event_id", this.lastId);
    return `realtime/events?${query}`;
  }

  #open() {
    this.#close();
    const opensWith = this.lastId ? this.types : this.first;
    const source = new EventSource(this.#address());
    this.source = source;
    this.heardAt = performance.now();
    for (const name of EVENTS) {
      source.addEventListener(name, (event) => {
        if (source === this.source) this.#take(name, event, opensWith);
      });
    }
    source.addEventListener("error", () => {
      if (source === this.source) this.#lose();
    });
  }

  #take(name, event, opensWith) {
    this.heardAt = performance.now();
    this.lastId = event.lastEventId;
    const data = JSON.parse(event.data);
    if (name === "resync" && this.first !== this.types) {
      this.lastId = "";
      this.#open();
    }
    this.hear(name, data);
    if (name !== "ready") return;
    this.retryMs = RETRY_LEAST_MS;
    this.#set("live");
    if (opensWith !== this.types) this.#open();
  }

  #lose() {
    this.#close();
    this.#set("lost");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#open(), this.retryMs * (0.5 + Math.random() / 2));
    this.retryMs = Math.min(RETRY_MOST_MS, this.retryMs * 2);
  }

  #look() {
    if (this.source && performance.now() - this.heardAt > SILENT_MS) this.#lose();
  }

  #rest() {
    clearTimeout(this.timer);
    this.#close();
    this.#set("resting");
  }

  #wake() {
    if (this.state !== "resting") return;
    this.retryMs = RETRY_LEAST_MS;
    this.#set("connecting");
    this.#open();
  }

  #close() {
    this.source?.close();
    this.source = null;
  }

  #set(state) {
    if (state === this.state) return;
    this.state = state;
    this.turn(state);
  }
}
