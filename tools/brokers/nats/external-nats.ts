import { connect } from "node:net";

import { BrokersError } from "../brokers-error.ts";
import { faultsUnavailable } from "../provider.ts";
import type { NatsCluster } from "./nats-cluster.ts";

/** The variable with addresses, `nats://host:port[,…]`, that are used instead of starting servers. */
export const NATS_URL = "NATS_URL";

const DEFAULT_PORT = "4222";
const CONNECT_TIMEOUT_MS = 2_000;

/**
 * Use servers that somebody else runs. `nodes`, `version` and `config` are theirs to decide.
 *
 * @throws BrokersError `UNAVAILABLE` when none of them accepts a connection and greets as NATS does.
 */
export async function externalNats(urls: string): Promise<NatsCluster> {
  const servers = urls.split(",").map((url) => url.trim());
  const [url = ""] = servers;
  if (url === "") throw new BrokersError("UNAVAILABLE", `${NATS_URL} is not set`);
  const startedAt = performance.now();
  const greeted = await Promise.all(servers.map(async (server) => await greets(server)));
  if (!greeted.includes(true))
    throw new BrokersError("UNAVAILABLE", `no server answers at ${NATS_URL}=${urls}`);
  return {
    provider: "external",
    version: undefined,
    url,
    servers,
    nodes: servers.map((server, index) => ({ id: index + 1, url: server, monitorUrl: undefined })),
    readyMs: Math.round(performance.now() - startedAt),
    ...faultsUnavailable(NATS_URL),
    pid: () => undefined,
    close: nothing,
    [Symbol.asyncDispose]: nothing,
  };
}

/** A NATS server speaks first: `INFO {…}`. */
async function greets(server: string): Promise<boolean> {
  const { hostname, port } = parseUrl(server);
  return await new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port === "" ? DEFAULT_PORT : port) });
    const finish = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => finish(false));
    socket.once("error", () => finish(false));
    socket.once("close", () => finish(false));
    socket.once("data", (chunk: Buffer) => finish(chunk.toString().startsWith("INFO ")));
  });
}

function parseUrl(server: string): URL {
  const url = URL.parse(server.includes("://") ? server : `nats://${server}`);
  if (url === null || url.hostname === "")
    throw new BrokersError("INVALID", `an address must be nats://host:port, got ${server}`);
  return url;
}

async function nothing(): Promise<void> {
  // servers that somebody else runs stay as they are
}
