// The page: one stream of all accounts, one view at a time, drawn when something has changed.

import { parseAddress, withoutMoment } from "./address.js";
import { DemoCard } from "./components/demo_card.js";
import { CurlLine } from "./components/curl_line.js";
import { copyFullValues, setAttribute } from "./components/dom.js";
import { Header } from "./components/header.js";
import { NoticeList } from "./components/notice_list.js";
import { boundNotices, connectionNotices, linkNotices, notifyNotices, orderNotices } from "./components/notice_text.js";
import { listenForKeys } from "./components/shortcuts.js";
import { showAgesOnHover } from "./components/stat.js";
import { initThemeSwitch } from "./components/theme_switch.js";
import { TimeTravel } from "./components/time_travel.js";
import { setPageConnected } from "./format/link_status.js";
import { now } from "./format/time_format.js";
import { Connection } from "./state/connection.js";
import { EventStream } from "./state/event_stream.js";
import { FleetState } from "./state/fleet_state.js";
import { LatencyProbe } from "./state/latency_probe.js";
import { NotifyStatus } from "./state/notify_status.js";
import { TierAlerts } from "./state/tier_alerts.js";
import { OrderSwitches } from "./state/order_switches.js";
import { VisibleRows } from "./state/visible_rows.js";
import { FleetView } from "./views/fleet_view.js";
import { SignIn, fetchDenial, signOut } from "./views/sign_in.js";

const DRAW_INTERVAL_MS = 100;
const TICK_MS = 1000;
const ROUTE_RETRY_MS = 2000;
const MAX_KEY_WAIT_MS = 3000; // for a view on its way; afterwards keys act on the view before it
const MAX_WAITING_ACTIONS = 50;
const $ = (id) => document.getElementById(id);

const fleet = new FleetState();
const connection = new Connection();
const header = new Header({ nav: $("nav"), money: $("money"), crumbs: $("crumbs"), indicators: $("indicators") });
const notices = new NoticeList($("notices"), $("announcements"));
const curl = new CurlLine($("foot"));
const alerts = new TierAlerts({ onChange: scheduleDraw, onWatched: () => stream.renew() });
const visibleRows = new VisibleRows(fleet, alerts, { onChange: () => stream.renew() });
const demo = "demo" in document.documentElement.dataset ? new DemoCard($("demo"), scheduleDraw) : null;
const orderSwitches = new OrderSwitches(scheduleDraw);
const notifyStatus = new NotifyStatus(scheduleDraw);
const travel = new TimeTravel({ parent: $("past"), button: $("time"), fleet, onChange: scheduleDraw, onEscape: () => runAction(goBack) });
let view = null;
let routes = 0;
let fleetPlace = { address: "#/", label: null, scroll: 0 }; // to come back to
let signIn = null;
let isScheduled = false;
let drawnAt = 0;
let isCheckingAccess = false;
let isUnavailable = false; // the files of the view could not be loaded, or not soon
const waitingActions = []; // of keys that were pressed while a view was on its way

const stream = new EventStream({
  params: (isSnapshot) => visibleRows.params(isSnapshot),
  onEvent: (name, data) => {
    if (name === "alert") alerts.renew();
    fleet.handleEvent(name, data);
    connection.at = now();
    scheduleDraw();
  },
  onStateChange: () => updateConnection(),
});

const probe = new LatencyProbe((isReachable) => {
  if (!isReachable && stream.state === "connected") stream.reconnect();
  updateConnection();
});

function updateConnection() {
  if (signIn) return;
  connection.update([stream?.state, view?.stream?.state].filter(Boolean));
  document.documentElement.dataset.connection = connection.state;
  setPageConnected(connection.state !== "disconnected");
  if (connection.state === "disconnected") checkAccess();
  scheduleDraw();
}

/** A stream does not say why it ended: a token may be needed. */
async function checkAccess() {
  if (isCheckingAccess || signIn) return;
  isCheckingAccess = true;
  const denial = await fetchDenial();
  isCheckingAccess = false;
  if (!denial || connection.state !== "disconnected" || signIn) return;
  stream.end();
  view?.end();
  view = null;
  signIn = new SignIn(denial, { onSignedIn: () => location.reload() });
  $("main").replaceChildren(signIn.element);
  header.showCrumbs([]);
  notices.show([]);
  document.documentElement.dataset.connection = "denied";
  document.title = "Sign in · realtime";
  signIn.focus();
}

async function route() {
  if (signIn) return;
  const address = parseAddress(location.hash);
  routes += 1;
  isUnavailable = false;
  if (isShown(address)) {
    view.setAddress(address);
    travel.show(view);
    draw();
    return runWaitingActions();
  }
  const number = routes;
  setTimeout(() => { if (number === routes) stopWaiting(); }, MAX_KEY_WAIT_MS);
  const next = await openView(address).catch(() => null); // null: its files are not to be had now
  if (number !== routes || signIn) return next?.end();
  if (!next) {
    setTimeout(route, ROUTE_RETRY_MS);
    return stopWaiting();
  }
  const before = view;
  if (before instanceof FleetView) fleetPlace = { address: before.address, ...before.place };
  before?.end();
  view = next;
  $("main").replaceChildren(view.element);
  header.showCrumbs(view.crumbs);
  scrollTo({ top: 0, behavior: "instant" });
  if (address.view !== "fleet") {
    visibleRows.set(address.label ? [address.label] : []);
    visibleRows.setMarks(false);
  }
  travel.show(view);
  updateConnection();
  draw();
  if (view instanceof FleetView && before && withoutMoment(view.address) === withoutMoment(fleetPlace.address)) view.restore(fleetPlace);
  else if (before) view.focus();
  runWaitingActions();
}

/** Whether the address names another view than the one that is shown. */
function isOpening() {
  return !signIn && !isUnavailable && !isShown(parseAddress(location.hash));
}

/** A key acts on the view that the address names: while that one is on its way, the action waits. */
function runAction(action) {
  if (waitingActions.length < MAX_WAITING_ACTIONS) waitingActions.push(action);
  runWaitingActions();
}

function stopWaiting() {
  isUnavailable = true;
  runWaitingActions();
}

function runWaitingActions() {
  while (waitingActions.length && !isOpening()) waitingActions.shift()();
}

function isShown({ view: name, label }) {
  return view !== null && view.name === name && view.label === label;
}

/** Views that are not the first to be seen are loaded when they are opened. */
async function openView(address) {
  const hooks = { fleet, alerts, onChange: scheduleDraw, onStreamChange: () => updateConnection(), onAddress: replaceAddress };
  switch (address.view) {
    case "account": {
      const { AccountView } = await import("./views/account_view.js");
      return new AccountView(fleet, address, hooks);
    }
    case "compare": {
      const { CompareView } = await import("./views/compare_view.js");
      return CompareView.open(address, hooks);
    }
    case "alerts": {
      const { AlertsView } = await import("./views/alerts_view.js");
      return AlertsView.open(address, hooks);
    }
    case "broker": {
      const { BrokerView } = await import("./views/broker_view.js");
      return BrokerView.open(address, hooks);
    }
    case "fleet": return new FleetView(fleet, address, { ...hooks, go: (hash) => { location.hash = hash; }, onVisibleRows: (labels) => visibleRows.set(labels), onMarks: (hasMarks) => visibleRows.setMarks(hasMarks) });
  }
}

/** Another state of the same view: its address, without a step to go back to. */
function replaceAddress() {
  if (isShown(parseAddress(location.hash))) history.replaceState(null, "", view.address); // else another view is on its way
  scheduleDraw();
}

function scheduleDraw() {
  if (isScheduled) return;
  isScheduled = true;
  const wait = Math.max(0, DRAW_INTERVAL_MS - (performance.now() - drawnAt));
  setTimeout(() => requestAnimationFrame(draw), wait);
}

function draw() {
  isScheduled = false;
  drawnAt = performance.now();
  if (!view) return;
  view.render();
  travel.render();
  const isLost = connection.state === "disconnected";
  const enabled = fleet.totals().reduce((all, kind) => all + kind.enabled, 0);
  const bounds = view.asOf == null && view.name !== "alerts" ? alerts.over ?? [] : [];
  notices.show([...(demo?.notices ?? []), ...connectionNotices(connection), ...(isLost ? [] : [...linkNotices(view.linkEntries, enabled), ...orderNotices(orderSwitches), ...boundNotices(bounds), ...notifyNotices(notifyStatus.status)])]);
  curl.show(view.curl);
  document.title = isLost ? "No connection · realtime" : view.title;
  header.showNav(view.name === "account" ? "fleet" : view.name, alerts.isEnded ? undefined : alerts.over?.length ?? null);
  header.showMoney(view.moneyKinds);
  header.showConnection(connection, { rate: fleet.rate(), latency: probe.median() });
}

/** One step back: from the past to now, else from a view to the table as it was left. */
function goBack() {
  if (travel.isPast) travel.end();
  else if (view && !(view instanceof FleetView)) location.hash = withoutMoment(fleetPlace.address);
}

const go = (hash) => () => { location.hash = hash; };

async function showHelp() {
  $("keys").showModal();
  const session = await fetch("session", { cache: "no-store" }).catch(() => null);
  setAttribute($("sign-out"), "hidden", !session?.ok);
}

function toggleAges() {
  const isShown = document.documentElement.toggleAttribute("data-ages");
  setAttribute($("ages"), "aria-pressed", String(isShown));
}

const switchTheme = initThemeSwitch($("theme"), () => view?.redraw());
$("help").addEventListener("click", showHelp);
$("ages").addEventListener("click", toggleAges);
$("sign-out").addEventListener("click", async () => {
  await signOut();
  location.reload();
});
showAgesOnHover(document.body, () => (connection.state === "connected" ? "" : ", and no longer followed"));
copyFullValues();

listenForKeys({
  "/": () => view?.search?.(), "?": showHelp, t: switchTheme, a: toggleAges, h: () => travel.toggle(), Escape: goBack,
  "g f": () => { location.hash = withoutMoment(fleetPlace.address); }, "g c": go("#/compare"), "g a": go("#/alerts"), "g b": go("#/broker"),
}, runAction);
addEventListener("hashchange", route);
addEventListener("online", scheduleDraw);
addEventListener("offline", scheduleDraw);
setInterval(() => { if (!document.hidden) scheduleDraw(); }, TICK_MS);
route();
