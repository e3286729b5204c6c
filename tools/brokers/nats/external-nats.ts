import { BrokersError } from "../brokers-error.ts";
import { faultsUnavailable } from "../provider.ts";
import type { NatsCluster } from "./nats-cluster.ts";
import { greets } from "./nats-probe.ts";

/** The variable with addresses, `nats://host:port[,…]`, that are used instead of starting servers. */
export const NATS_URL = "NATS_URL";

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

async function nothing(): Promise<void> {
  // servers that somebody else runs stay as they are
}
