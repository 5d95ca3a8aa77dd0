// The peer of the case "websocket": a server on `ws`, which sends each message to all that are connected.
// Usage: node ws_peer.cjs WS_FOLDER RATE BYTES      (RATE 0: as fast as the slowest connection reads)
// Prints its port. A message begins with "@@" and a monotonic time in microseconds.
"use strict";
const { WebSocketServer } = require(process.argv[2]);
const [rate, bytes] = [Number(process.argv[3]), Number(process.argv[4])];
const behindMax = 64 * 1024; // as the driver of shared/peers has it
const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false });
server.on("listening", () => console.log(server.address().port));

const padding = "x".repeat(bytes - 18);
const send = () => {
  const stamp = String(process.hrtime.bigint() / 1000n).padStart(16, "0");
  const message = Buffer.from("@@" + stamp + padding);
  for (const client of server.clients) client.send(message, { binary: false });
};
const began = performance.now();
let sent = 0;
const pump = () => {
  if (rate > 0) {
    for (const due = ((performance.now() - began) / 1000) * rate; sent < due; sent++) send();
    return setTimeout(pump, 1000 / rate / 4);
  }
  let behind = 0;
  for (const client of server.clients) behind = Math.max(behind, client.bufferedAmount);
  if (behind < behindMax) send();
  setImmediate(pump);
};
process.stdin.once("data", () => pump()); // a line: begin
process.stdin.resume();
