// An exchange as a process of its own: `/trade?account=…` takes orders, `/control` what the test says.
// Arguments: the file of its book, and the port (0: any). It prints where it listens.
import { WebSocketServer, type WebSocket } from "ws";
import { decimal } from "#domain/decimal.ts";
import { BookFile } from "./book-file.ts";
import { type ControlCall, controlCall, numbered, read, tradeCall } from "./messages.ts";
import { TradeDesk } from "./trade-desk.ts";

const [path = "", port = "0"] = process.argv.slice(2);
const die = (): void => void process.kill(process.pid, "SIGKILL");
const desk = new TradeDesk(new BookFile(path), die);
const server = new WebSocketServer({ host: "127.0.0.1", port: Number(port) });

server.on("connection", (socket, { url = "" }) => {
  const { pathname, searchParams } = new URL(url, "http://localhost");
  // An error is always followed by "close".
  socket.on("error", () => undefined);
  if (pathname === "/control") serveControl(socket);
  else serveTrading(socket, searchParams.get("account") ?? "");
});
server.on("listening", () => {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the exchange has no port");
  process.stdout.write(`listening on ${address.port}\n`);
});

function serveTrading(socket: WebSocket, account: string): void {
  const client = desk.connect(socket, account);
  socket.on("message", (data) => {
    const { id } = read(numbered, data);
    desk.answer(client, id, read(tradeCall, data)).catch((error: unknown) => {
      socket.send(JSON.stringify({ id, error: String(error) }));
    });
  });
}

function serveControl(socket: WebSocket): void {
  socket.on("message", (data) => {
    const { id } = read(numbered, data);
    try {
      const result = carryOut(read(controlCall, data)) ?? null;
      socket.send(JSON.stringify({ id, result }));
    } catch (error) {
      socket.send(JSON.stringify({ id, error: String(error) }));
    }
  });
}

function carryOut(call: ControlCall): unknown {
  const { book } = desk;
  switch (call.call) {
    case "openAccount":
      return book.openAccount(call.account);
    case "moveMarket":
      return book.moveMarket(call.at, call.prices);
    case "behave":
      return desk.behave(call.account, call.to, call.as);
    case "behaveWell":
      return desk.behaveWell();
    case "deliver":
      return desk.deliver(call.account, call.as);
    case "fill": {
      const quantity = call.quantity === undefined ? null : decimal(call.quantity);
      return book.trade(book.byClientId(call.clientOrderId), quantity);
    }
    case "fillAll":
      return book.open(null).forEach((order) => book.trade(order, null));
    case "expire":
      return book.end(book.byClientId(call.clientOrderId), "expired", call.reason);
    case "hangUp":
      return desk.hangUp();
    case "die":
      return die();
    case "book":
      return book.whole(desk.calls);
  }
}
