// Drives the JavaScript SDK 3 against a simulator: account, orders, positions, stream.
// Usage: node js_3.cjs URL SYMBOL_OF_AN_OPTION. Prints one JSON object.
// Its market-data streams force wss://, so they are not part of this.
const Alpaca = require("@alpacahq/alpaca-trade-api");

const [url, option] = process.argv.slice(2);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const deadline = Date.now() + 25000;

async function waitFor(isTrue) {
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error("timed out");
    await sleep(20);
  }
}

async function main() {
  const alpaca = new Alpaca({
    keyId: "demo-alpha",
    secretKey: "demo-secret-alpha",
    baseUrl: url,
    dataBaseUrl: url,
    dataStreamUrl: url,
    feed: "iex",
  });
  const events = [];
  const socket = alpaca.trade_ws;
  socket.onConnect(() => socket.subscribe(["trade_updates", "account_updates"]));
  socket.onOrderUpdate((update) => events.push(update.event));
  socket.connect();
  await sleep(1000);

  const status = async (order) => (await alpaca.getOrder(order.id)).status;
  const filled = async (body) => {
    const order = await alpaca.createOrder(body);
    await waitFor(async () => (await status(order)) === "filled");
    return order;
  };
  const price = (await alpaca.getLatestTrade("AAPL")).Price;
  const at = (factor) => Number((price * factor).toFixed(2));
  const sell = { symbol: "AAPL", qty: 1, side: "sell", time_in_force: "gtc" };
  const orders = {};
  orders.market = await filled({
    symbol: "AAPL", qty: 5, side: "buy", type: "market", time_in_force: "day",
  });
  orders.notional = await filled({
    symbol: "NVDA", notional: 50, side: "buy", type: "market", time_in_force: "day",
  });
  orders.crypto = await filled({
    symbol: "ETH/USD", qty: 0.5, side: "buy", type: "market", time_in_force: "gtc",
  });
  orders.option = await filled({
    symbol: option, qty: 1, side: "buy", type: "market", time_in_force: "day",
  });
  orders.limit = await alpaca.createOrder({
    symbol: "KO", qty: 1, side: "buy", type: "limit", time_in_force: "gtc", limit_price: 1,
  });
  orders.stop = await alpaca.createOrder({ ...sell, type: "stop", stop_price: at(0.5) });
  orders.stop_limit = await alpaca.createOrder({
    ...sell, type: "stop_limit", stop_price: at(0.5), limit_price: at(0.5),
  });
  orders.trailing_stop = await alpaca.createOrder({
    ...sell, type: "trailing_stop", trail_percent: 20,
  });
  orders.oco = await alpaca.createOrder({
    ...sell,
    type: "limit",
    order_class: "oco",
    take_profit: { limit_price: at(1.2) },
    stop_loss: { stop_price: at(0.8) },
  });
  const entry = { qty: 1, side: "buy", type: "limit", time_in_force: "gtc", limit_price: 10 };
  orders.bracket = await alpaca.createOrder({
    ...entry,
    symbol: "MSFT",
    order_class: "bracket",
    take_profit: { limit_price: 20 },
    stop_loss: { stop_price: 5 },
  });
  orders.oto = await alpaca.createOrder({
    ...entry, symbol: "BAC", order_class: "oto", take_profit: { limit_price: 20 },
  });
  const replaced = await alpaca.replaceOrder(orders.limit.id, { limit_price: 2 });
  await waitFor(async () => (await status(replaced)) === "new");
  await alpaca.cancelOrder(replaced.id);
  await waitFor(() => events.filter((e) => e === "fill").length >= 4 && events.includes("canceled"));
  const statuses = {};
  for (const [name, order] of Object.entries(orders)) statuses[name] = await status(order);
  let bars = 0;
  for await (const bar of alpaca.getBarsV2("AAPL", {
    timeframe: "1Day", start: "2026-09-01", end: "2026-09-30",
  })) bars += bar ? 1 : 0;
  const positions = await alpaca.getPositions();
  console.log(
    JSON.stringify({
      account: (await alpaca.getAccount()).account_number,
      statuses,
      positions: Object.fromEntries(positions.map((p) => [p.symbol, p.qty])),
      events: [...new Set(events)].sort(),
      bars,
    })
  );
  process.exit(0);
}

main().catch((error) => {
  console.error(error.response ? error.response.data : error);
  process.exit(1);
});
