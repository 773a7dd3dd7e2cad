// Where the daemon wants a token: shown once, it becomes a cookie that no script can read.

import { make, mark, say } from "./dom.js";

const ANSWER_MS = 5000;

/** Why the daemon lets nobody look: its own words; null if it does, or does not answer. */
export async function barred() {
  try {
    const answer = await fetch("realtime/summary", { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) });
    return answer.status === 401 || answer.status === 403 ? await answer.json() : null;
  } catch {
    return null;
  }
}

/** Take the cookie back. */
export async function signOut() {
  await fetch("session", { method: "DELETE", signal: AbortSignal.timeout(ANSWER_MS) });
}

/** A form for a token; `entered()` once it is taken. */
export class SignIn {
  constructor(why, { entered }) {
    this.entered = entered;
    this.field = make("input", {
      type: "password", id: "token", autocomplete: "off", spellcheck: "false", required: true,
      "aria-describedby": "token-about",
    });
    this.button = make("button", { type: "submit", class: "plain strong", text: "Sign in" });
    this.trouble = make("p", { class: "trouble", role: "alert" });
    this.heading = make("h1", { text: "Sign in", tabindex: "-1" });
    if (why.code !== "token_missing") say(this.trouble, told(why));
    this.element = make(
      "form", { class: "card sign-in", on: { submit: (event) => this.#submit(event) } },
      this.heading,
      make("p", { id: "token-about", text: "This daemon shows its accounts to those who have a token. It is kept as a cookie until it ends; no script can read it." }),
      make("label", { for: "token", text: "Token" }), this.field, this.trouble, this.button,
      make("p", { class: "hint" }, "With a terminal on its machine: ", make("code", { text: "realtime token --link" })),
    );
  }

  focus() {
    this.field.focus();
  }

  async #submit(event) {
    event.preventDefault();
    const token = this.field.value.trim();
    if (!token) return;
    mark(this.button, "disabled", true);
    const trouble = await present(token);
    mark(this.button, "disabled", false);
    if (!trouble) return this.entered();
    say(this.trouble, trouble);
    mark(this.field, "aria-invalid", "true");
    this.field.select();
  }
}

/** Show a token to the daemon; why it was not taken, or null. */
async function present(token) {
  if (/[^\x21-\x7e]/.test(token)) return "That is no token: it has characters that no token has.";
  try {
    const headers = { Authorization: `Bearer ${token}` };
    const answer = await fetch("session", { method: "POST", headers, signal: AbortSignal.timeout(ANSWER_MS) });
    if (!answer.ok) return told(await answer.json());
  } catch {
    return "The daemon does not answer.";
  }
  const why = await barred();
  return why && told(why);
}

function told({ title, detail, remedy }) {
  return [[title, detail].filter(Boolean).join(": "), remedy].filter(Boolean).join(" – ");
}
