import type { TopicPartition } from "@bus/core";

/** How far a partition may be read. */
export interface LastStableOffset extends TopicPartition {
  /** Where the first open transaction begins; `undefined` while none is open. */
  readonly lastStable: number | undefined;
}

/**
 * Read the last stable offsets out of librdkafka's statistics; the client tells them nowhere else.
 *
 * @param json - What an `event.stats` carries. What is not understood is passed over.
 */
export function lastStableOffsets(json: string): readonly LastStableOffset[] {
  const found: LastStableOffset[] = [];
  for (const [topic, value] of entriesOf(parse(json), "topics")) {
    for (const [number, partition] of entriesOf(value, "partitions")) {
      const lastStable = numberIn(partition, "ls_offset");
      const high = numberIn(partition, "hi_offset");
      // librdkafka's own entry for messages without a partition is −1, and an offset that it does not know is −1001.
      if (Number(number) < 0 || lastStable === undefined || lastStable < 0) continue;
      const isOpen = high !== undefined && lastStable < high;
      found.push({ topic, partition: Number(number), lastStable: isOpen ? lastStable : undefined });
    }
  }
  return found;
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    // Statistics are a hint; without them the high water mark serves.
    return undefined;
  }
}

function entriesOf(value: unknown, name: string): readonly (readonly [string, unknown])[] {
  const member = memberOf(value, name);
  return typeof member === "object" && member !== null ? Object.entries(member) : [];
}

function numberIn(value: unknown, name: string): number | undefined {
  const member = memberOf(value, name);
  return typeof member === "number" ? member : undefined;
}

function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return new Map<string, unknown>(Object.entries(value)).get(name);
}
