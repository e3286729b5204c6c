import { get } from "node:http";
import { connect } from "node:net";

import { BrokersError } from "../brokers-error.ts";

const DEFAULT_PORT = "4222";
const PROBE_TIMEOUT_MS = 2_000;

/**
 * True once a server reports itself healthy: JetStream recovered and, in a cluster, in contact with its leader.
 *
 * Source: `/healthz`, https://docs.nats.io/running-a-nats-service/nats_admin/monitoring.
 */
export async function isHealthy(monitorUrl: string): Promise<boolean> {
  return (await fetchText(`${monitorUrl}/healthz`)) !== undefined;
}

/** How many servers take part in replicated JetStream, as this one sees it; 0 while there is no leader. */
export async function jetStreamPeers(monitorUrl: string): Promise<number> {
  const text = await fetchText(`${monitorUrl}/jsz`);
  return text === undefined ? 0 : parsePeers(text);
}

/** Read the size of the meta group out of a `/jsz` response. */
export function parsePeers(text: string): number {
  const parsed = JSON.parse(text) as { meta_cluster?: { leader?: string; cluster_size?: number } };
  const { leader = "", cluster_size: size = 0 } = parsed.meta_cluster ?? {};
  return leader === "" ? 0 : size;
}

/**
 * True when a NATS server greets at this address; it speaks first, `INFO {…}`.
 *
 * @throws BrokersError `INVALID` when it is no address.
 */
export async function greets(server: string): Promise<boolean> {
  const { hostname, port } = parseUrl(server);
  return await new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port === "" ? DEFAULT_PORT : port) });
    const finish = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(PROBE_TIMEOUT_MS, () => finish(false));
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

/** How many other servers this one has a route to. */
export async function routedPeers(monitorUrl: string): Promise<number> {
  const text = await fetchText(`${monitorUrl}/routez`);
  return text === undefined ? 0 : parseRoutes(text);
}

/** Count the servers in a `/routez` response, where a server may have several routes. */
export function parseRoutes(text: string): number {
  const parsed = JSON.parse(text) as { routes?: readonly { remote_id: string }[] | null };
  return new Set((parsed.routes ?? []).map(({ remote_id: id }) => id)).size;
}

async function fetchText(url: string): Promise<string | undefined> {
  return await new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: PROBE_TIMEOUT_MS }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("error", () => resolve(undefined));
      response.on("end", () => resolve(response.statusCode === 200 ? text : undefined));
    });
    request.on("timeout", () => request.destroy());
    request.on("error", () => resolve(undefined));
    request.on("close", () => resolve(undefined));
  });
}
