import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";

import { BrokersError } from "../brokers-error.ts";
import { cachedFolder } from "../download-cache.ts";
import { NodeProxies } from "../network/node-proxies.ts";
import { NodeProcesses } from "../process/node-processes.ts";
import { brokerRecipe } from "./broker-recipe.ts";
import { planCluster, writeNodeFiles } from "./cluster-plan.ts";
import type { KafkaRuntime } from "./kafka-runtime.ts";

const ARCHIVE = "classes.jsa";
const READY_TIMEOUT_MS = 60_000;
const DUMP_TIMEOUT_MS = 60_000;

/** A broker that can be launched with more options for its virtual machine. */
export interface ArchivableBroker {
  /** Folder of the jars in the cache. */
  readonly jars: string;
  /** What `java -version` prints: an archive belongs to one build of Java. */
  readonly javaVersion: string;
  /** `bootstrap.checkpoint` for the data folder. */
  readonly checkpoint: string;
  /** Launch a broker with these options on top. */
  launch(options: readonly string[]): KafkaRuntime["launch"];
}

/**
 * Options that make the virtual machine take the classes of the broker from an archive instead of loading and checking each of them:
 * about half of the processor time that a start costs.
 *
 * The archive is written by one broker that is started and stopped for it, once per set of jars and Java. Java ignores an archive
 * that does not fit, and without one everything works as well, only slower; so no failure here is a failure of the start.
 */
export async function classArchiveOptions(broker: ArchivableBroker): Promise<string[]> {
  const java = createHash("sha256").update(broker.javaVersion).digest("hex").slice(0, 8);
  try {
    const folder = await cachedFolder(
      `${broker.jars}-classes-${java}`,
      async (part) => await writeArchive(part, broker),
    );
    const archive = join(folder, ARCHIVE);
    return existsSync(archive) ? [`-XX:SharedArchiveFile=${archive}`] : [];
  } catch (error) {
    if (BrokersError.is(error)) return [];
    throw error;
  }
}

async function writeArchive(folder: string, broker: ArchivableBroker): Promise<void> {
  const plan = await planCluster(folder, {}, new NodeProxies());
  await writeNodeFiles(folder, plan, broker.checkpoint);
  const launch = broker.launch([`-XX:ArchiveClassesAtExit=${join(folder, ARCHIVE)}`]);
  const recipes = plan.nodes.map((node) => brokerRecipe(node, { folder, size: 1 }, launch));
  const processes = new NodeProcesses(recipes, {
    readyTimeoutMs: READY_TIMEOUT_MS,
    stopTimeoutMs: DUMP_TIMEOUT_MS,
  });
  try {
    await processes.startAll();
    await processes.stopNode(1);
  } finally {
    await processes.close();
  }
  for (const name of await readdir(folder)) {
    if (name !== ARCHIVE) await rm(join(folder, name), { recursive: true });
  }
}
