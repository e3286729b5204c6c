import type { LagReader } from "@bus/core";
import { createFindings } from "./ledger-finding.ts";
import type { Finding } from "./ledger-finding.ts";

/** Whose lag says whether everything is committed. */
export interface DrainedQuery {
  readonly reader: Pick<LagReader, "read">;
  readonly group: string;
}

/** Partitions that are not at rest: `key` of the evidence is the partition, `sequence` the messages behind (−1: unknown). */
export async function readDrained(
  query: DrainedQuery,
  topics: readonly string[],
): Promise<Finding> {
  const behind = createFindings();
  if (topics.length === 0) return behind.finding();
  const lag = await query.reader.read({ group: query.group, topics });
  for (const { topic, partition, committed, high, lagMessages } of lag.partitions) {
    const entry = { topic, key: `partition ${partition}`, sequence: Number(lagMessages) };
    const atEnd = lagMessages === 0n && (committed === undefined || committed === high);
    if (!atEnd) behind.add(entry, `committed ${committed ?? "nothing"}, end ${high}`);
  }
  for (const { topic, partition, error } of lag.unknown) {
    behind.add(
      { topic, key: `partition ${partition}`, sequence: -1 },
      `lag unknown: ${String(error)}`,
    );
  }
  return behind.finding();
}
