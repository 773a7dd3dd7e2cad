// The live page: one stream of all accounts, one view at a time, drawn when something has changed.

import { AccountView } from "./account_view.js";
import { badge } from "./badge.js";
import { Curl } from "./curl.js";
import { make, mark, say } from "./dom.js";
import { Fleet } from "./fleet.js";
import { FleetView } from "./fleet_view.js";
import { tellAges } from "./figure.js";
import { Pulse } from "./pulse.js";
import { SignIn, barred, signOut } from "./sign_in.js";
import { Stream } from "./stream.js";
import { Strip, ofConnection, ofLinks } from "./strip.js";
import { switchTheme } from "./theme.js";
import { ago, hearConnection, now } from "./words.js";

const DRAW_EVERY_MS = 100;
const TICK_MS = 1000;
const $ = (id) => document.getElementById(id);

const fleet = new Fleet();
const strip = new Strip($("strip"), $("said"));
const curl = new Curl($("foot"));
const connection = { state: "connecting", since: null, at: null, answers: true };
const money = badge();
const gauges = { link: gauge("link"), rate: gauge("rate"), trip: gauge("trip") };
let view = null;
let stream = null;
let isDue = false;
let drawnAt = 0;
let isAsking = false;
let door = null;

$("money").append(money.element);
$("gauges").append(gauges.link.element, gauges.rate.element, gauges.trip.element);

stream = new Stream({
  first: "row,link",
  types: "row,link,order",
  hear: (name, data) => {
    fleet.hear(name, data);
    connection.at = now();
    due();
  },
  turn: () => connected(),
});

const pulse = new Pulse((isThere) => {
  if (!isThere && stream.state === "live") stream.suspect();
  connection.answers = isThere;
  connected();
});

/** How this page stands with the daemon, by both streams: the worse counts. */
function connected() {
  if (door) return;
  const states = [stream?.state, view?.stream?.state].filter(Boolean);
  const state = ["lost", "connecting", "resting"].find((each) => states.includes(each)) ?? "live";
  if (state !== connection.state) connection.since = new Date(now()).toISOString();
  // Between two attempts nothing is better yet: lost is lost until the first word.
  connection.state = state === "connecting" && connection.state === "lost" ? "lost" : state;
  document.documentElement.dataset.link = connection.state;
  hearConnection(connection.state !== "lost");
  if (connection.state === "lost") askWhy();
  due();
}

/** A stream does not tell why it ended: it may be that a token is wanted. */
async function askWhy() {
  if (isAsking || door) return;
  isAsking = true;
  const why = await barred();
  isAsking = false;
  if (!why || connection.state !== "lost" || door) return;
  stream.end();
  view?.end();
  view = null;
  door = new SignIn(why, { entered: () => location.reload() });
  $("main").replaceChildren(door.element);
  $("crumbs").replaceChildren();
  strip.show([]);
  document.documentElement.dataset.link = "barred";
  document.title = "Sign in · realtime";
  door.focus();
}

function route() {
  if (door) return;
  const [path, query = ""] = location.hash.replace(/^#/, "").split("?");
  const [, room, label] = path.split("/");
  if (room === "account" && label) show("account", decode(label));
  else if (view instanceof FleetView) view.turn(new URLSearchParams(query));
  else show("fleet", new URLSearchParams(query));
}

function show(room, wanted) {
  const from = view;
  if (room === "account" && view instanceof AccountView && view.label === wanted) return;
  view?.end();
  view = room === "account"
    ? new AccountView(fleet, wanted, { turned: () => connected() })
    : new FleetView(fleet, wanted, { go: (address) => { location.hash = address; } });
  $("main").replaceChildren(view.element);
  $("crumbs").replaceChildren(...view.crumbs.map((word) => make("span", { text: word })));
  scrollTo({ top: 0, behavior: "instant" });
  connected();
  draw();
  if (from) view.focus();
}

function due() {
  if (isDue) return;
  isDue = true;
  const wait = Math.max(0, DRAW_EVERY_MS - (performance.now() - drawnAt));
  setTimeout(() => requestAnimationFrame(draw), wait);
}

function draw() {
  isDue = false;
  drawnAt = performance.now();
  if (!view) return;
  view.render();
  strip.show([...ofConnection(connection), ...(connection.state === "lost" ? [] : ofLinks(view.notices))]);
  curl.show(view.curl);
  document.title = connection.state === "lost" ? "No connection · realtime" : view.title;
  money.show(view.isPaper);
  drawGauges();
}

function drawGauges() {
  const words = { live: "Connected", lost: "No connection", connecting: "Connecting", resting: "Resting" };
  mark(gauges.link.element, "data-tone", { live: "good", lost: "bad" }[connection.state] ?? "warn");
  say(gauges.link.text, words[connection.state]);
  gauges.link.element.title = connection.at ? `last heard ${ago(new Date(connection.at).toISOString())}` : "nothing heard yet";
  const rate = fleet.rate();
  say(gauges.rate.text, connection.state === "live" ? `${rate < 10 ? rate.toFixed(1) : Math.round(rate).toLocaleString("en")} events/s` : "");
  const trip = pulse.median();
  say(gauges.trip.text, trip !== null && connection.state === "live" ? `answers in ${trip < 10 ? trip.toFixed(1) : Math.round(trip)} ms` : "");
  gauges.trip.element.title = "a question and its answer, median of the last five minutes";
}

function gauge(kind) {
  const text = make("span");
  const element = make("span", { class: `gauge ${kind}` }, kind === "link" ? make("i", { class: "lamp", "aria-hidden": "true" }) : null, text);
  return { element, text };
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const turnTheme = switchTheme($("theme"), () => view?.recolour());
const keys = $("keys");
$("help").addEventListener("click", showHelp);
$("ages").addEventListener("click", turnAges);
$("sign-out").addEventListener("click", async () => {
  await signOut();
  location.reload();
});
tellAges(document.body, () => (connection.state === "live" ? "" : ", and no longer followed"));

async function showHelp() {
  keys.showModal();
  const session = await fetch("session", { cache: "no-store" }).catch(() => null);
  mark($("sign-out"), "hidden", !session?.ok);
}

function turnAges() {
  const areShown = document.documentElement.toggleAttribute("data-ages");
  mark($("ages"), "aria-pressed", String(areShown));
}

addEventListener("keydown", (event) => {
  const isTyping = event.target.closest?.("input, textarea, select, dialog");
  if (event.altKey || event.ctrlKey || event.metaKey || isTyping) return;
  const acts = {
    "/": () => view.search?.(),
    "?": showHelp,
    t: turnTheme,
    a: turnAges,
    Escape: () => { if (view instanceof AccountView) location.hash = "#/"; },
  };
  const act = acts[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});
addEventListener("hashchange", route);
setInterval(() => { if (!document.hidden) due(); }, TICK_MS);
route();
