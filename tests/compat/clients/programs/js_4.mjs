// Drives the JavaScript SDK 4 against a simulator: account, orders, positions, streams.
// Usage: node js_4.mjs URL SYMBOL_OF_AN_OPTION. Prints one JSON object.
// The SDK has no base URL for REST: a wrapped fetch changes the address.
import { Alpaca } from "@alpacahq/alpaca-trade-api";

const [url, option] = process.argv.slice(2);
const ws = url.replace("http", "ws");
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const deadline = Date.now() + 25000;

async function waitFor(isTrue) {
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error("timed out");
    await sleep(20);
  }
}

const fetchApi = (address, init) => {
  const { pathname, search } = new URL(typeof address === "string" ? address : address.url);
  return fetch(url + pathname + search, init);
};

const alpaca = new Alpaca({ keyId: "demo-alpha", secret: "demo-secret-alpha", fetchApi });
const { orders: api, positions: positionsApi, account: accountApi } = alpaca.trading;
const events = [];
const trades = [];

const updates = alpaca.trading.stream({ url: `${ws}/stream` });
updates.onTradeUpdate((update) => events.push(update.event));
updates.onConnect(() => updates.subscribeTradeUpdates());
updates.connect();
const stocks = alpaca.marketData.stockStream({ feed: "iex", url: `${ws}/v2/iex` });
stocks.onTrade((trade) => trades.push(trade.symbol));
stocks.onConnect(() => stocks.subscribeForTrades(["AAPL", "KO"]));
stocks.connect();
await sleep(1000);

const status = async (order) => (await api.getOrderByOrderID({ orderId: order.id })).status;
const filled = async (order) => {
  await waitFor(async () => (await status(order)) === "filled");
  return order;
};
const latest = await alpaca.marketData.stocks.stockLatestTradeSingle({ symbol: "AAPL" });
const at = (factor) => Number((latest.trade.p * factor).toFixed(2));
const sell = { symbol: "AAPL", qty: 1, side: "sell", timeInForce: "gtc" };
const placed = {};
placed.market = await filled(await api.market({ symbol: "AAPL", qty: 5, side: "buy" }));
placed.notional = await filled(await api.market({ symbol: "NVDA", notional: 50, side: "buy" }));
placed.crypto = await filled(
  await api.market({ symbol: "ETH/USD", qty: 0.5, side: "buy", timeInForce: "gtc" })
);
placed.option = await filled(await api.market({ symbol: option, qty: 1, side: "buy" }));
placed.limit = await api.limit({
  symbol: "KO", qty: 1, side: "buy", limitPrice: 1, timeInForce: "gtc",
});
placed.stop = await api.stop({ ...sell, stopPrice: at(0.5) });
placed.stop_limit = await api.stopLimit({ ...sell, stopPrice: at(0.5), limitPrice: at(0.5) });
placed.trailing_stop = await api.trailingStop({ ...sell, trailPercent: 20 });
placed.oco = await api.oco({
  ...sell, takeProfit: { limitPrice: at(1.2) }, stopLoss: { stopPrice: at(0.8) },
});
const entry = { qty: 1, side: "buy", limitPrice: 10, timeInForce: "gtc" };
placed.bracket = await api.bracket({
  ...entry, symbol: "MSFT", takeProfit: { limitPrice: 20 }, stopLoss: { stopPrice: 5 },
});
placed.oto = await api.oto({ ...entry, symbol: "BAC", takeProfit: { limitPrice: 20 } });
const replaced = await api.patchOrderByOrderId({
  orderId: placed.limit.id, patchOrderRequest: { limitPrice: "2" },
});
await waitFor(async () => (await status(replaced)) === "new");
await api.deleteOrderByOrderID({ orderId: replaced.id });
await waitFor(
  () =>
    trades.length > 0 &&
    events.filter((event) => event === "fill").length >= 4 &&
    events.includes("canceled")
);
const statuses = {};
for (const [name, order] of Object.entries(placed)) statuses[name] = await status(order);
const bars = await alpaca.marketData.stocks.stockBarSingle({
  symbol: "AAPL", timeframe: "1Day", start: new Date("2026-09-01"), end: new Date("2026-09-30T20:00:00Z"),
});
const positions = await positionsApi.getAllOpenPositions();
console.log(
  JSON.stringify({
    account: (await accountApi.getAccount()).accountNumber,
    statuses,
    positions: Object.fromEntries(positions.map((p) => [p.symbol, p.qty])),
    events: [...new Set(events)].sort(),
    trades: [...new Set(trades)].sort(),
    bars: bars.bars.length,
  })
);
process.exit(0);
