import { BrokersError } from "../brokers-error.ts";
import { faultsUnavailable } from "../provider.ts";
import type { KafkaCluster, StartKafkaOptions } from "./kafka-cluster.ts";
import { clusterView } from "./kafka-probe.ts";

/** The variable with plain-text bootstrap addresses, `host:port[,host:port]`, that are used instead of starting brokers. */
export const KAFKA_BROKERS = "KAFKA_BROKERS";

/**
 * Use brokers that somebody else runs. `nodes`, `version` and `brokerConfig` are theirs to decide.
 *
 * @throws BrokersError `UNAVAILABLE` when none of them answers, or when listeners are asked for that are not in `KAFKA_BROKERS`.
 */
export async function externalKafka(
  addresses: string,
  options: StartKafkaOptions,
): Promise<KafkaCluster> {
  if (addresses.trim() === "") throw new BrokersError("UNAVAILABLE", `${KAFKA_BROKERS} is not set`);
  const brokers = addresses.split(",").map((address) => address.trim());
  if (options.security === "tls-and-sasl")
    throw new BrokersError(
      "UNAVAILABLE",
      `${KAFKA_BROKERS} is set, TLS and SASL listeners cannot be opened on brokers that run already`,
    );
  const startedAt = performance.now();
  const views = await Promise.all(brokers.map(async (address) => await clusterView(address)));
  if (views.every((view) => view === undefined))
    throw new BrokersError("UNAVAILABLE", `no broker answers at ${KAFKA_BROKERS}=${addresses}`);
  const unavailable = faultsUnavailable(KAFKA_BROKERS);
  return {
    provider: "external",
    version: undefined,
    brokers,
    nodes: brokers.map((address, index) => ({ id: index + 1, address })),
    security: undefined,
    readyMs: Math.round(performance.now() - startedAt),
    ...unavailable,
    pid: () => undefined,
    close: nothing,
    [Symbol.asyncDispose]: nothing,
  };
}

async function nothing(): Promise<void> {
  // brokers that somebody else runs stay as they are
}
