// The curl command for what is on the screen.

import { createElement, setText } from "./dom.js";

export class CurlLine {
  constructor(parent) {
    this.code = createElement("code", { tabindex: "0" });
    this.button = createElement("button", { type: "button", class: "plain", text: "Copy", on: { click: () => this.#copy() } });
    parent.append(
      createElement("div", { class: "curl" }, createElement("span", { class: "prompt", "aria-hidden": "true", text: "$" }), this.code, this.button),
      createElement("p", { class: "links" },
        createElement("a", { href: "docs", text: "All routes" }),
        createElement("a", { href: "health", text: "Health" }),
        createElement("a", { href: "websocket/status", text: "Links" }),
      ),
    );
  }

  show(path) {
    setText(this.code, `curl -s '${new URL(path, location.href.split("#")[0])}'`);
  }

  async #copy() {
    let result = "Copied";
    try {
      await navigator.clipboard.writeText(this.code.textContent);
    } catch {
      getSelection().selectAllChildren(this.code);
      result = "Selected";
    }
    setText(this.button, result);
    setTimeout(() => setText(this.button, "Copy"), 1500);
  }
}
