// The line that asks for what is on screen.

import { make, say } from "./dom.js";

export class Curl {
  constructor(place) {
    this.code = make("code", { tabindex: "0" });
    this.button = make("button", { type: "button", class: "plain", text: "Copy", on: { click: () => this.#copy() } });
    place.append(
      make("div", { class: "curl" }, make("span", { class: "prompt", "aria-hidden": "true", text: "$" }), this.code, this.button),
      make("p", { class: "links" },
        make("a", { href: "docs", text: "All routes" }),
        make("a", { href: "health", text: "Health" }),
        make("a", { href: "websocket/status", text: "Links" }),
      ),
    );
  }

  show(path) {
    say(this.code, `curl -s '${new URL(path, location.href.split("#")[0])}'`);
  }

  async #copy() {
    let word = "Copied";
    try {
      await navigator.clipboard.writeText(this.code.textContent);
    } catch {
      getSelection().selectAllChildren(this.code);
      word = "Selected";
    }
    say(this.button, word);
    setTimeout(() => say(this.button, "Copy"), 1500);
  }
}
