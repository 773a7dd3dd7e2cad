// Every route of openapi.json, and a form that calls it.

import { createElement } from "../components/dom.js";
import { follow } from "./stream_call.js";

const MAX_SHOWN = 200_000;
const base = new URL("./", location.href);
const token = document.getElementById("token");
const routes = document.getElementById("routes");

const headers = (more = {}) =>
  token.value ? { ...more, Authorization: `Bearer ${token.value}` } : more;

/** The address of a call: path parameters in their places, the others behind it if given. */
function address(path, parameters, values) {
  const filled = path.replace(/{(\w+)}/g, (_, name) => encodeURIComponent(values[name] ?? ""));
  const url = new URL(filled.replace(/^\//, ""), base);
  for (const { name, in: place } of parameters) {
    if (place === "query" && values[name]) url.searchParams.set(name, values[name]);
  }
  return url;
}

/** What a person would type into a terminal for the same call. */
function curl(method, url, sent, body) {
  const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const words = ["curl", "-sN"];
  if (method !== "get") words.push("-X", method.toUpperCase());
  for (const name of Object.keys(sent)) {
    words.push("-H", name === "Authorization" ? '"Authorization: Bearer $REALTIME_TOKEN"' : quote(`${name}: ${sent[name]}`));
  }
  if (body) words.push("-d", quote(body));
  return [...words, quote(url.href)].join(" ");
}

function field(parameter) {
  const { name, required, description, schema = {} } = parameter;
  const values = schema.enum ?? schema.items?.enum;
  const attributes = { name, required: Boolean(required), autocomplete: "off" };
  const one = schema.enum ?? (schema.type === "boolean" ? ["true", "false"] : null);
  const control = one
    ? createElement("select", attributes, createElement("option", { value: "", text: "–" }), ...one.map((each) => createElement("option", { value: each, text: each })))
    : createElement("input", { ...attributes, placeholder: hint(schema, values) });
  return createElement("label", { class: "field" }, createElement("span", {}, createElement("code", { text: name }), required ? createElement("em", { text: " needed" }) : null), control, createElement("small", { text: description ?? "" }));
}

function hint(schema, values) {
  if (values) return values.join(",");
  const fallback = schema.default;
  return fallback === undefined || String(fallback) === "" ? "" : String(fallback);
}

function answers(responses) {
  return createElement("ul", { class: "answers" }, ...Object.entries(responses).map(([status, { description }]) => createElement("li", { text: `${status}  ${description}` })));
}

function route(path, method, operation) {
  const parameters = (operation.parameters ?? []).filter((each) => each.in !== "header");
  const moves = method !== "get";
  const isStream = Boolean(operation.responses["200"]?.content?.["text/event-stream"]);
  const body = operation.requestBody ? createElement("textarea", { name: "-body", "aria-label": "Body", spellcheck: "false", text: "{}" }) : null;
  const out = createElement("div", { "aria-live": "polite" });
  const stop = createElement("button", { type: "button", text: "Stop", hidden: true });
  const form = createElement("form", {}, ...parameters.map(field), body, createElement("button", { text: isStream ? "Listen" : "Call" }), stop, out, answers(operation.responses));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (moves && !confirm(`${method.toUpperCase()} ${path} is carried out at once. Go on?`)) return;
    const values = Object.fromEntries(new FormData(form));
    const url = address(path, parameters, values);
    const sent = headers(body ? { "Content-Type": "application/json" } : {});
    out.replaceChildren(createElement("pre", { text: curl(method, url, sent, body?.value) }));
    if (isStream) follow(url, sent, out, stop);
    else call(method, url, sent, body?.value, out);
  });
  const title = createElement("summary", {}, createElement("b", { text: method, "data-moves": moves }), createElement("code", { text: path }), createElement("span", { text: operation.summary ?? "" }));
  const words = `${method} ${path} ${operation.summary}`.toLowerCase();
  return createElement("details", { class: "route", "data-words": words }, title, form);
}

async function call(method, url, sent, body, out) {
  const shown = createElement("pre", { text: "…" });
  out.append(shown);
  try {
    const began = performance.now();
    const answer = await fetch(url, { method: method.toUpperCase(), headers: sent, body });
    const text = await answer.text();
    const samples = (performance.now() - began).toFixed(1);
    const told = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    shown.textContent = `${answer.status} ${answer.statusText} · ${samples} ms\n${told}\n\n${pretty(text, answer.headers.get("Content-Type"))}`;
  } catch (error) {
    shown.textContent = `no answer: ${error.message}`;
  }
}

function pretty(text, type) {
  const cut = (long) => (long.length > MAX_SHOWN ? `${long.slice(0, MAX_SHOWN)}\n… ${long.length} letters in all` : long);
  try {
    return /json/.test(type ?? "") ? cut(JSON.stringify(JSON.parse(text), null, 2)) : cut(text);
  } catch {
    return cut(text);
  }
}

function find(words) {
  for (const each of routes.querySelectorAll(".route")) {
    each.hidden = !words.toLowerCase().split(/\s+/).every((word) => each.dataset.words.includes(word));
  }
}

async function start() {
  try {
    const answer = await fetch(new URL("openapi.json", base), { headers: headers() });
    const { info, paths } = await answer.json();
    document.getElementById("version").textContent = info.version;
    document.getElementById("introduction").textContent = info.description;
    const found = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => route(path, method, operation)));
    routes.replaceChildren(...found);
  } catch (error) {
    document.getElementById("trouble").textContent = `openapi.json could not be read: ${error.message}`;
  }
}

document.getElementById("find").addEventListener("input", (event) => find(event.target.value));
await start();
