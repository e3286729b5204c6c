import { BrokersError } from "./brokers-error.ts";
import type { NetworkFaults } from "./network/node-proxies.ts";
import type { ProcessFaults } from "./process/node-processes.ts";

/**
 * Where a broker comes from.
 *
 * - `external`: addresses given in `KAFKA_BROKERS` or `NATS_URL`; its processes are not ours.
 * - `container`: a container engine of this machine.
 * - `local`: programs of this machine (Java for Kafka, `nats-server` for NATS).
 */
export type Provider = "external" | "container" | "local";

/** A way to run brokers, or why this machine does not have it. */
export type Lookup<Runtime> = { readonly found: Runtime } | { readonly missing: string };

/**
 * Take the first way to run a broker that this machine has.
 *
 * @param what - Named in the error, for example `kafka 4.1.1`.
 * @throws BrokersError `UNAVAILABLE` listing why each of them is missing, and so what to install.
 */
export async function firstAvailable<Runtime>(
  what: string,
  lookups: readonly (() => Promise<Lookup<Runtime>>)[],
): Promise<Runtime> {
  const missing: string[] = [];
  for (const lookup of lookups) {
    const result = await lookup();
    if ("found" in result) return result.found;
    missing.push(result.missing);
  }
  throw new BrokersError(
    "UNAVAILABLE",
    `nothing here can run ${what}; provide one of: ${missing.join("; or ")}`,
  );
}

type UnavailableFaults = ProcessFaults & NetworkFaults & { logs(node: number): Promise<string> };

/** Faults of brokers that somebody else runs: each rejects with `FAULTS_UNAVAILABLE` and names the variable that says so. */
export function faultsUnavailable(variable: string): UnavailableFaults {
  const refuse =
    (what: string) =>
    async (node: number): Promise<never> => {
      throw new BrokersError(
        "FAULTS_UNAVAILABLE",
        `${variable} is set, so ${what} node ${node} is impossible: its process is not ours`,
      );
    };
  return {
    kill: refuse("killing"),
    pause: refuse("pausing"),
    resume: refuse("resuming"),
    restart: refuse("restarting"),
    stopNode: refuse("stopping"),
    partitionNetwork: refuse("cutting off"),
    logs: refuse("reading the log of"),
  };
}
