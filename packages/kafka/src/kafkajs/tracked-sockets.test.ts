import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { expect, test } from "vitest";
import { TrackedSockets } from "./tracked-sockets.ts";

async function listening(): Promise<{ port: number; close(): void }> {
  const peers = new Set<Socket>();
  const server = createServer((socket) => peers.add(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    close: () => {
      for (const peer of peers) peer.destroy();
      server.close();
    },
  };
}

/** kafkajs passes null where its types say options. */
function target(port: number, onConnect: () => void) {
  return { host: "127.0.0.1", port, ssl: null as never, onConnect };
}

test("sockets that are open when the client ends are closed, and whoever waits is told", async () => {
  const server = await listening();
  const sockets = new TrackedSockets();
  const socket = await new Promise<Socket>((resolve) => {
    const opened: Socket = sockets.factory(target(server.port, () => resolve(opened)));
  });
  const failed = once(socket, "error");
  sockets.destroy();
  await expect(failed).resolves.toMatchObject([{ message: "the client was closed" }]);
  expect(socket.destroyed).toBe(true);
  server.close();
});

test("a client that has ended connects no more", async () => {
  const sockets = new TrackedSockets(() => {
    throw new Error("must not connect");
  });
  sockets.destroy();
  const socket = sockets.factory(target(1, () => undefined));
  await expect(once(socket, "error")).resolves.toMatchObject([
    { message: "the client was closed" },
  ]);
});
