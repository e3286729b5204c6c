import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";

import { TcpProxy } from "./tcp-proxy.ts";

/** Answers every chunk with the same bytes in capitals, and remembers what reached it. */
const reached: string[] = [];
const open = new Set<Socket>();
const server = createServer((socket) => {
  open.add(socket);
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    reached.push(chunk.toString());
    socket.write(chunk.toString().toUpperCase());
  });
});
let proxy: TcpProxy;

beforeEach(async () => {
  reached.length = 0;
  server.listen({ port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  proxy = await TcpProxy.start((server.address() as AddressInfo).port);
});

afterEach(async () => {
  await proxy.close();
  for (const socket of open) socket.destroy();
  server.close();
  await once(server, "close");
});

async function client(): Promise<Socket> {
  const socket = connect({ port: proxy.port, host: "127.0.0.1" });
  await once(socket, "connect");
  return socket;
}

async function ask(socket: Socket, text: string): Promise<string> {
  const answer = once(socket, "data") as Promise<[Buffer]>;
  socket.write(text);
  return (await answer)[0].toString();
}

async function errorCode(socket: Socket): Promise<string | undefined> {
  const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
  return error.code;
}

test("bytes pass in both directions", async () => {
  const socket = await client();
  expect(await ask(socket, "hello")).toBe("HELLO");
  socket.destroy();
});

test("a large transfer arrives whole although the writers are faster than the readers", async () => {
  const socket = await client();
  const sent = "x".repeat(8_000_000);
  let received = 0;
  const all = new Promise<void>((resolve) => {
    socket.on("data", (chunk: Buffer) => {
      received += chunk.length;
      if (received === sent.length) resolve();
    });
  });
  socket.write(sent);
  await all;
  expect(received).toBe(8_000_000);
  socket.destroy();
});

test("a stalled connection neither ends nor passes anything, and goes on after healing", async () => {
  const socket = await client();
  expect(await ask(socket, "before")).toBe("BEFORE");
  proxy.partition("stall");
  const answer = once(socket, "data") as Promise<[Buffer]>;
  socket.write("during");
  const other = await client();
  expect(await ask(await directClient(), "through another way")).toBe("THROUGH ANOTHER WAY");
  expect(reached).toEqual(["before", "through another way"]);
  proxy.heal();
  expect((await answer)[0].toString()).toBe("DURING");
  expect(await ask(other, "opened while stalled")).toBe("OPENED WHILE STALLED");
  socket.destroy();
  other.destroy();
});

test("reset ends connections with ECONNRESET, new ones too, until it is healed", async () => {
  const socket = await client();
  const failed = errorCode(socket);
  proxy.partition("reset");
  expect(await failed).toBe("ECONNRESET");
  const refused = connect({ port: proxy.port, host: "127.0.0.1" });
  expect(await errorCode(refused)).toBe("ECONNRESET");
  proxy.heal();
  const after = await client();
  expect(await ask(after, "again")).toBe("AGAIN");
  after.destroy();
});

test("lose-responses lets the request through, loses the answer and resets that connection when healed", async () => {
  const socket = await client();
  const idle = await client();
  expect(await ask(idle, "idle")).toBe("IDLE");
  const { firstLoss } = proxy.partition("lose-responses");
  const data: string[] = [];
  socket.on("data", (chunk: Buffer) => data.push(chunk.toString()));
  socket.write("charge once");
  await firstLoss;
  expect(reached).toContain("charge once");
  const failed = errorCode(socket);
  proxy.heal();
  expect(await failed).toBe("ECONNRESET");
  expect(data).toEqual([]);
  expect(await ask(idle, "still here")).toBe("STILL HERE");
  idle.destroy();
});

test("a client of a dead server is reset instead of hanging", async () => {
  server.close();
  const socket = await client();
  expect(await errorCode(socket)).toBe("ECONNRESET");
  server.listen({ port: 0, host: "127.0.0.1" });
  await once(server, "listening");
});

async function directClient(): Promise<Socket> {
  const socket = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1" });
  await once(socket, "connect");
  return socket;
}
