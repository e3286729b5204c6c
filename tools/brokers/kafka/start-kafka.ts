import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import {
  dataFolder,
  logFile,
  nodeFolder,
  removeFolder,
  startInFolder,
} from "../process/cluster-folder.ts";
import { freePorts } from "../process/free-ports.ts";
import { NodeProcesses } from "../process/node-processes.ts";
import type { NodeRecipe, ProcessFaults } from "../process/node-processes.ts";
import { firstAvailable } from "../provider.ts";
import type { Provider } from "../provider.ts";
import { newKafkaId, prepareDataFolder } from "./format-storage.ts";
import { javaRuntime } from "./java-runtime.ts";
import { clusterView } from "./kafka-probe.ts";
import { DEFAULT_KAFKA_VERSION } from "./kafka-runtime.ts";
import type { KafkaRuntime, KafkaVersion } from "./kafka-runtime.ts";
import { serverProperties } from "./server-properties.ts";
import type { KafkaClusterPlan, KafkaNodePlan } from "./server-properties.ts";

/** What to start. */
export interface StartKafkaOptions {
  /** Brokers; each is also a controller. @defaultValue 1 */
  readonly nodes?: 1 | 3;
  /** Kafka version. @defaultValue "4.1.1" */
  readonly version?: KafkaVersion;
  /** Broker properties on top of ours; they win. @defaultValue {} */
  readonly brokerConfig?: Readonly<Record<string, string>>;
  /** How long every node may take to answer, in milliseconds. @defaultValue 60000 */
  readonly readyTimeoutMs?: number;
}

/** A running cluster; leave its scope (`await using`) or call `close()` to end it and remove its data. */
export interface KafkaCluster extends ProcessFaults, AsyncDisposable {
  /** Where it comes from. */
  readonly provider: Provider;
  /** Version that runs; undefined when the addresses were given. */
  readonly version: KafkaVersion | undefined;
  /** Plain-text bootstrap addresses, `host:port`, node 1 first. */
  readonly brokers: string[];
  /** From the call until every node answered and saw all others, in milliseconds; downloads are not counted. */
  readonly readyMs: number;
  /** Everything a node has written so far. */
  logs(node: number): Promise<string>;
  /** Process id of a node's broker; undefined while it does not run. */
  pid(node: number): number | undefined;
  /** End the processes at once and remove the data; idempotent. */
  close(): Promise<void>;
}

/**
 * Start a real Kafka (KRaft) on loopback ports of this machine.
 *
 * @throws BrokersError `UNAVAILABLE` when nothing here can run it, `START_FAILED` when it does not become ready.
 */
export async function startKafka(options: StartKafkaOptions = {}): Promise<KafkaCluster> {
  const version = options.version ?? DEFAULT_KAFKA_VERSION;
  const runtime = await firstAvailable(`kafka ${version}`, [
    async () => await javaRuntime(version),
  ]);
  return await startInFolder(
    "kafka",
    async (folder) => await startCluster(folder, runtime, options),
  );
}

async function startCluster(
  folder: string,
  runtime: KafkaRuntime,
  options: StartKafkaOptions,
): Promise<KafkaCluster> {
  const startedAt = performance.now();
  const plan = await planCluster(folder, options);
  await writeNodeFiles(plan, runtime.bootstrapCheckpoint);
  const recipes = plan.nodes.map((node) =>
    recipe({ node, folder, size: plan.nodes.length }, runtime),
  );
  const processes = new NodeProcesses(recipes, options.readyTimeoutMs ?? 60_000);
  try {
    await processes.startAll();
  } catch (error) {
    await processes.close();
    throw error;
  }
  const close = async (): Promise<void> => {
    await processes.close();
    await removeFolder(folder);
  };
  return {
    provider: runtime.provider,
    version: options.version ?? DEFAULT_KAFKA_VERSION,
    brokers: plan.nodes.map(({ ports }) => `127.0.0.1:${ports.PLAINTEXT}`),
    readyMs: Math.round(performance.now() - startedAt),
    kill: async (node) => await processes.kill(node),
    pause: async (node) => await processes.pause(node),
    resume: async (node) => await processes.resume(node),
    restart: async (node) => await processes.restart(node),
    stopNode: async (node) => await processes.stopNode(node),
    logs: async (node) => await processes.logs(node),
    pid: (node) => processes.pid(node),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function planCluster(folder: string, options: StartKafkaOptions): Promise<KafkaClusterPlan> {
  const nodes: KafkaNodePlan[] = [];
  const count = options.nodes ?? 1;
  const ports = await freePorts(3 * count);
  for (let id = 1; id <= count; id += 1) {
    const [plain = 0, internal = 0, controller = 0] = ports.splice(0, 3);
    nodes.push({
      id,
      folder: await nodeFolder(folder, id),
      ports: { PLAINTEXT: plain, INTERNAL: internal, CONTROLLER: controller },
      advertised: {},
    });
  }
  return { nodes, security: {}, overrides: options.brokerConfig ?? {} };
}

async function writeNodeFiles(plan: KafkaClusterPlan, checkpoint: string): Promise<void> {
  const clusterId = newKafkaId();
  for (const node of plan.nodes) {
    await writeFile(configFile(node), serverProperties(node, plan));
    await prepareDataFolder(dataFolder(node.folder), { id: node.id, clusterId, checkpoint });
  }
}

function recipe(
  where: { node: KafkaNodePlan; folder: string; size: number },
  runtime: KafkaRuntime,
): NodeRecipe {
  const { node, folder, size } = where;
  let seenWhole = false;
  return {
    id: node.id,
    logFile: logFile(node.folder),
    launch: async () =>
      await runtime.launch({
        clusterFolder: folder,
        configFile: configFile(node),
        logFile: logFile(node.folder),
      }),
    isReady: async () => {
      const view = await clusterView(node.ports.INTERNAL);
      // At the first start every node has to see all of them; later another one may be down on purpose.
      const ready =
        view !== undefined &&
        view.brokerIds.includes(node.id) &&
        (seenWhole || view.brokerIds.length === size);
      seenWhole ||= ready;
      return ready;
    },
  };
}

function configFile(node: KafkaNodePlan): string {
  return join(node.folder, "server.properties");
}
