import { once } from "node:events";
import { createServer } from "node:net";
import { expect, test } from "vitest";

import { freePorts } from "./free-ports.ts";

test("ports are different, free, and below those that the kernel gives to outgoing connections", async () => {
  const ports = await freePorts(20);
  expect(new Set(ports).size).toBe(20);
  const outgoing = createServer();
  outgoing.listen({ port: 0, host: "127.0.0.1" });
  await once(outgoing, "listening");
  const address = outgoing.address();
  expect(Math.max(...ports)).toBeLessThan(
    typeof address === "object" && address !== null ? address.port : 0,
  );
  outgoing.close();
  for (const port of ports) {
    const server = createServer();
    server.listen({ port, host: "127.0.0.1" });
    await once(server, "listening");
    server.close();
  }
});
