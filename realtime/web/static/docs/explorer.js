// Every route of openapi.json, with a form that sends a request.

import { createElement } from "../components/dom.js";
import { follow } from "./stream_call.js";

const MAX_SHOWN = 200_000;
const base = new URL("./", location.href);
const token = document.getElementById("token");
const routes = document.getElementById("routes");

const headers = (more = {}) =>
  token.value ? { ...more, Authorization: `Bearer ${token.value}` } : more;

/** The address of a request: path parameters in the path, the others that are set in the query. */
function address(path, parameters, values) {
  const filled = path.replace(/{(\w+)}/g, (_, name) => encodeURIComponent(values[name] ?? ""));
  const url = new URL(filled.replace(/^\//, ""), base);
  for (const { name, in: place } of parameters) {
    if (place === "query" && values[name]) url.searchParams.set(name, values[name]);
  }
  return url;
}

/** The same request as a curl command. */
function curl(method, url, sent, body) {
  const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const parts = ["curl", "-sN"];
  if (method !== "get") parts.push("-X", method.toUpperCase());
  for (const name of Object.keys(sent)) {
    parts.push("-H", name === "Authorization" ? '"Authorization: Bearer $REALTIME_TOKEN"' : quote(`${name}: ${sent[name]}`));
  }
  if (body) parts.push("-d", quote(body));
  return [...parts, quote(url.href)].join(" ");
}

function field(parameter) {
  const { name, required, description, schema = {} } = parameter;
  const values = schema.enum ?? schema.items?.enum;
  const attributes = { name, required: Boolean(required), autocomplete: "off" };
  const one = schema.enum ?? (schema.type === "boolean" ? ["true", "false"] : null);
  const control = one
    ? createElement("select", attributes, createElement("option", { value: "", text: "–" }), ...one.map((value) => createElement("option", { value, text: value })))
    : createElement("input", { ...attributes, placeholder: hint(schema, values) });
  return createElement("label", { class: "field" }, createElement("span", {}, createElement("code", { text: name }), required ? createElement("em", { text: " required" }) : null), control, createElement("small", { text: description ?? "" }));
}

function hint(schema, values) {
  if (values) return values.join(",");
  const fallback = schema.default;
  return fallback === undefined || String(fallback) === "" ? "" : String(fallback);
}

function responseList(responses) {
  return createElement("ul", { class: "answers" }, ...Object.entries(responses).map(([status, { description }]) => createElement("li", { text: `${status}  ${description}` })));
}

function route(path, method, operation) {
  const parameters = (operation.parameters ?? []).filter((parameter) => parameter.in !== "header");
  const isChange = method !== "get";
  const isStream = Boolean(operation.responses["200"]?.content?.["text/event-stream"]);
  const body = operation.requestBody ? createElement("textarea", { name: "-body", "aria-label": "Body", spellcheck: "false", text: "{}" }) : null;
  const out = createElement("div", { "aria-live": "polite" });
  const stop = createElement("button", { type: "button", text: "Stop", hidden: true });
  const form = createElement("form", {}, ...parameters.map(field), body, createElement("button", { text: isStream ? "Listen" : "Call" }), stop, out, responseList(operation.responses));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (isChange && !confirm(`${method.toUpperCase()} ${path} is executed at once. Continue?`)) return;
    const values = Object.fromEntries(new FormData(form));
    const url = address(path, parameters, values);
    const sent = headers(body ? { "Content-Type": "application/json" } : {});
    out.replaceChildren(createElement("pre", { text: curl(method, url, sent, body?.value) }));
    if (isStream) follow(url, sent, out, stop);
    else call(method, url, sent, body?.value, out);
  });
  const title = createElement("summary", {}, createElement("b", { text: method, "data-moves": isChange }), createElement("code", { text: path }), createElement("span", { text: operation.summary ?? "" }));
  const searchText = `${method} ${path} ${operation.summary}`.toLowerCase();
  return createElement("details", { class: "route", "data-text": searchText }, title, form);
}

async function call(method, url, sent, body, out) {
  const shown = createElement("pre", { text: "…" });
  out.append(shown);
  try {
    const began = performance.now();
    const response = await fetch(url, { method: method.toUpperCase(), headers: sent, body });
    const text = await response.text();
    const durationMs = (performance.now() - began).toFixed(1);
    const headerLines = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    shown.textContent = `${response.status} ${response.statusText} · ${durationMs} ms\n${headerLines}\n\n${pretty(text, response.headers.get("Content-Type"))}`;
  } catch (error) {
    shown.textContent = `no response: ${error.message}`;
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

function filterRoutes(search) {
  const words = search.toLowerCase().split(/\s+/);
  for (const route of routes.querySelectorAll(".route")) {
    route.hidden = !words.every((word) => route.dataset.text.includes(word));
  }
}

async function start() {
  try {
    const response = await fetch(new URL("openapi.json", base), { headers: headers() });
    const { info, paths } = await response.json();
    document.getElementById("version").textContent = info.version;
    document.getElementById("introduction").textContent = info.description;
    const forms = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => route(path, method, operation)));
    routes.replaceChildren(...forms);
  } catch (error) {
    document.getElementById("trouble").textContent = `openapi.json could not be read: ${error.message}`;
  }
}

document.getElementById("find").addEventListener("input", (event) => filterRoutes(event.target.value));
await start();
