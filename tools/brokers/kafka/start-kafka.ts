import { logFile } from "../process/cluster-folder.ts";
import type { NodeRecipe } from "../process/node-processes.ts";
import { startNodes } from "../process/start-nodes.ts";
import { firstAvailable } from "../provider.ts";
import { clientAddresses, configFile, planCluster, writeNodeFiles } from "./cluster-plan.ts";
import type { PreparedCluster } from "./cluster-plan.ts";
import { containerRuntime } from "./container-runtime.ts";
import { KAFKA_BROKERS, externalKafka } from "./external-kafka.ts";
import { javaRuntime } from "./java-runtime.ts";
import type { KafkaCluster, StartKafkaOptions } from "./kafka-cluster.ts";
import { clusterView } from "./kafka-probe.ts";
import { DEFAULT_KAFKA_VERSION } from "./kafka-runtime.ts";
import type { KafkaRuntime } from "./kafka-runtime.ts";
import { clientSecurity } from "./kafka-security.ts";
import type { KafkaSecurity } from "./kafka-security.ts";
import type { KafkaNodePlan } from "./server-properties.ts";

const READY_TIMEOUT_MS = 60_000;

/**
 * Get a real Kafka: the one in `KAFKA_BROKERS`, else a container, else Java with jars from Maven; KRaft, on loopback ports.
 *
 * @throws BrokersError `UNAVAILABLE` when nothing here can run it, `START_FAILED` when it does not become ready.
 */
export async function startKafka(options: StartKafkaOptions = {}): Promise<KafkaCluster> {
  const given = process.env[KAFKA_BROKERS] ?? "";
  const { provider, version = DEFAULT_KAFKA_VERSION } = options;
  if (provider === "external" || (provider === undefined && given !== ""))
    return await externalKafka(given, options);
  const lookups = {
    container: async () => await containerRuntime(version),
    local: async () => await javaRuntime(version),
  };
  const chosen = provider === undefined ? [lookups.container, lookups.local] : [lookups[provider]];
  const runtime = await firstAvailable(`kafka ${version}`, chosen);
  const { plan, running } = await startNodes({
    kind: "kafka",
    readyTimeoutMs: options.readyTimeoutMs ?? READY_TIMEOUT_MS,
    prepare: async (folder, proxies) => {
      const prepared = await planCluster(folder, options, proxies);
      await writeNodeFiles(prepared, runtime.bootstrapCheckpoint);
      const recipes = prepared.nodes.map((node) =>
        recipe({ node, folder, size: prepared.nodes.length }, runtime),
      );
      return { plan: prepared, recipes };
    },
  });
  const brokers = clientAddresses(plan, "PLAINTEXT");
  const nodes = brokers.map((address, index) => ({ id: index + 1, address }));
  return {
    provider: runtime.provider,
    version,
    brokers,
    nodes,
    security: await securityOf(plan),
    ...running,
  };
}

function recipe(
  where: { node: KafkaNodePlan; folder: string; size: number },
  runtime: KafkaRuntime,
): NodeRecipe {
  const { node, folder, size } = where;
  const files = {
    clusterFolder: folder,
    configFile: configFile(node),
    logFile: logFile(node.folder),
  };
  let seenWhole = false;
  return {
    id: node.id,
    logFile: files.logFile,
    launch: async () => await runtime.launch(files),
    isReady: async () => {
      const view = await clusterView(`127.0.0.1:${node.ports.INTERNAL}`);
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

async function securityOf(plan: PreparedCluster): Promise<KafkaSecurity | undefined> {
  if (plan.certificates === undefined) return undefined;
  return await clientSecurity(plan.certificates, {
    SASL_SSL: clientAddresses(plan, "SASL_SSL"),
    SSL: clientAddresses(plan, "SSL"),
    SASL_PLAINTEXT: clientAddresses(plan, "SASL_PLAINTEXT"),
  });
}
