import { startNodes } from "../process/start-nodes.ts";
import { firstAvailable } from "../provider.ts";
import { brokerRecipe } from "./broker-recipe.ts";
import { clientAddresses, planCluster, writeNodeFiles } from "./cluster-plan.ts";
import type { PreparedCluster } from "./cluster-plan.ts";
import { containerRuntime } from "./container-runtime.ts";
import { KAFKA_BROKERS, externalKafka } from "./external-kafka.ts";
import { javaRuntime } from "./java-runtime.ts";
import type { KafkaCluster, StartKafkaOptions } from "./kafka-cluster.ts";
import { DEFAULT_KAFKA_VERSION } from "./kafka-runtime.ts";
import { clientSecurity } from "./kafka-security.ts";
import type { KafkaSecurity } from "./kafka-security.ts";

const READY_TIMEOUT_MS = 120_000;

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
      await writeNodeFiles(folder, prepared, runtime.bootstrapCheckpoint);
      const cluster = { folder, size: prepared.nodes.length };
      const recipes = prepared.nodes.map((node) => brokerRecipe(node, cluster, runtime.launch));
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

async function securityOf(plan: PreparedCluster): Promise<KafkaSecurity | undefined> {
  if (plan.certificates === undefined) return undefined;
  return await clientSecurity(plan.certificates, {
    SASL_SSL: clientAddresses(plan, "SASL_SSL"),
    SSL: clientAddresses(plan, "SSL"),
    SASL_PLAINTEXT: clientAddresses(plan, "SASL_PLAINTEXT"),
  });
}
