import { get } from "node:http";

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
