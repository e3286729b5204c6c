import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";

const FIRST_PORT = 15_000;
/** Where the kernel starts to hand out ports to outgoing connections on the systems that do not say (Linux default). */
const USUAL_EPHEMERAL_START = 32_768;

/**
 * Find ports of 127.0.0.1 that nothing listens on.
 *
 * They lie below the range that the kernel uses for outgoing connections: a client that keeps reconnecting to a dead broker could
 * otherwise be given that very port as its own, connect to itself, and the broker could not come back on it.
 * Another process may still take one before it is used, so whoever starts a server on them tries again with new ones.
 *
 * @param count - How many, all different.
 */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  const end = ephemeralStart();
  while (found.size < count) {
    const port = FIRST_PORT + Math.floor(Math.random() * (end - FIRST_PORT));
    if (!found.has(port) && (await isFree(port))) found.add(port);
  }
  return [...found];
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen({ port, host: "127.0.0.1", exclusive: true });
    await once(server, "listening");
    return true;
  } catch {
    return false; // taken, or not ours to take: both mean "try another one"
  } finally {
    server.close();
  }
}

function ephemeralStart(): number {
  try {
    const first = Number.parseInt(
      readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8"),
      10,
    );
    return first > FIRST_PORT + 1_000
      ? Math.min(first, USUAL_EPHEMERAL_START)
      : USUAL_EPHEMERAL_START;
  } catch {
    return USUAL_EPHEMERAL_START; // not Linux
  }
}
