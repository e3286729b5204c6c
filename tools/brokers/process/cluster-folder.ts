import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { BrokersError } from "../brokers-error.ts";
import { saysPortTaken } from "./telling-lines.ts";

const START_ATTEMPTS = 5;

/** The folder of one node inside the folder of its cluster, created: configuration, log and data. */
export async function nodeFolder(cluster: string, node: number): Promise<string> {
  const folder = join(cluster, `node-${node}`);
  await mkdir(folder, { recursive: true });
  return folder;
}

/** Where a node keeps its data. */
export function dataFolder(node: string): string {
  return join(node, "data");
}

/** Where a node writes its log. */
export function logFile(node: string): string {
  return join(node, "broker.log");
}

/** Remove what a cluster has left. */
export async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

/**
 * Start a cluster in a new temporary folder, again with new ports when another process took one in between.
 *
 * @param start - Starts everything in the folder it is given; ends what it started when it throws.
 * @throws BrokersError `START_FAILED`; its message names the folder, in which configuration and logs are kept and data is not.
 */
export async function startInFolder<Cluster>(
  kind: string,
  start: (folder: string) => Promise<Cluster>,
): Promise<Cluster> {
  for (let attempt = 1; ; attempt += 1) {
    const folder = await mkdtemp(join(tmpdir(), `bus-${kind}-`));
    try {
      return await start(folder);
    } catch (error) {
      if (!BrokersError.is(error, "START_FAILED")) {
        await removeFolder(folder);
        throw error;
      }
      if (!saysPortTaken(error.message) || attempt === START_ATTEMPTS)
        throw await keptLogs(error, folder);
      await removeFolder(folder);
    }
  }
}

async function keptLogs(error: BrokersError, folder: string): Promise<BrokersError> {
  const nodes = (await readdir(folder)).filter((name) => name.startsWith("node-"));
  for (const node of nodes) await removeFolder(dataFolder(join(folder, node)));
  return new BrokersError("START_FAILED", `${error.message}; logs are kept in ${folder}`, {
    cause: error,
  });
}
