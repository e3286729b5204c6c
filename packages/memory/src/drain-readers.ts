import type { Clock } from "@bus/core";
import { wait } from "@bus/core/adapter";
import type { PartitionReader } from "./partition-reader.ts";

/** Stop readers and wait until everything they delivered has settled, but no longer than `budgetMs`. Leaves no timer. */
export async function drainReaders(
  readers: readonly PartitionReader[],
  budgetMs: number,
  clock: Clock,
): Promise<void> {
  const drained = Promise.all(readers.map((reader) => reader.drain()));
  if (budgetMs <= 0 || readers.every((reader) => reader.outstanding === 0)) return;
  const settled = new AbortController();
  await Promise.race([drained, wait(clock, budgetMs, settled.signal)]);
  settled.abort();
}
