// Asks for a token where the daemon wants one; it becomes a cookie that no script can read.

import { createElement, setAttribute, setText } from "../components/dom.js";

const TIMEOUT_MS = 5000;

/** The problem document if the daemon refuses access; null if it grants it or does not answer. */
export async function fetchDenial() {
  try {
    const response = await fetch("realtime/summary", { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
    return response.status === 401 || response.status === 403 ? await response.json() : null;
  } catch {
    return null;
  }
}

/** Remove the cookie. */
export async function signOut() {
  await fetch("session", { method: "DELETE", signal: AbortSignal.timeout(TIMEOUT_MS) });
}

/** A form for a token; `onSignedIn()` once the daemon has accepted it. */
export class SignIn {
  constructor(denial, { onSignedIn }) {
    this.onSignedIn = onSignedIn;
    this.field = createElement("input", {
      type: "password", id: "token", autocomplete: "off", spellcheck: "false", required: true,
      "aria-describedby": "token-about",
    });
    this.button = createElement("button", { type: "submit", class: "plain strong", text: "Sign in" });
    this.error = createElement("p", { class: "error", role: "alert" });
    this.heading = createElement("h1", { text: "Sign in", tabindex: "-1" });
    if (denial.code !== "token_missing") setText(this.error, formatProblem(denial));
    this.element = createElement(
      "form", { class: "card sign-in", on: { submit: (event) => this.#submit(event) } },
      this.heading,
      createElement("p", { id: "token-about", text: "This daemon needs a token. It is kept as a cookie until it expires; no script can read it." }),
      createElement("label", { for: "token", text: "Token" }), this.field, this.error, this.button,
      createElement("p", { class: "hint" }, "In a terminal on its machine: ", createElement("code", { text: "realtime token --link" })),
    );
  }

  focus() {
    this.field.focus();
  }

  async #submit(event) {
    event.preventDefault();
    const token = this.field.value.trim();
    if (!token) return;
    setAttribute(this.button, "disabled", true);
    const error = await sendToken(token);
    setAttribute(this.button, "disabled", false);
    if (!error) return this.onSignedIn();
    setText(this.error, error);
    setAttribute(this.field, "aria-invalid", "true");
    this.field.select();
  }
}

/** Send a token to the daemon; why it was refused, or null. */
async function sendToken(token) {
  if (/[^\x21-\x7e]/.test(token)) return "This is not a token: it has characters that no token has.";
  try {
    const headers = { Authorization: `Bearer ${token}` };
    const response = await fetch("session", { method: "POST", headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!response.ok) return formatProblem(await response.json());
  } catch {
    return "The daemon does not answer.";
  }
  const denial = await fetchDenial();
  return denial && formatProblem(denial);
}

function formatProblem({ title, detail, remedy }) {
  return [[title, detail].filter(Boolean).join(": "), remedy].filter(Boolean).join(" – ");
}
