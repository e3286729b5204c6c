import { BrokersError } from "./brokers-error.ts";

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
