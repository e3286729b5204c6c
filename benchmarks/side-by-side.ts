/** One way of doing the same work. */
export interface Contender {
  readonly name: string;
  /** Do the work once; resolves to how many messages it handled and how long that took. */
  run(): Promise<Measurement> | Measurement;
}

/** What one run of a contender took. */
export interface Measurement {
  readonly messages: number;
  readonly elapsedMs: number;
  /** User and system time of this process, in milliseconds. */
  readonly cpuMs: number;
}

/** Median and spread of a contender over its runs. */
export interface ContenderResult {
  readonly name: string;
  readonly perSecond: Spread;
  readonly nsPerMessage: Spread;
  readonly cpuNsPerMessage: Spread;
  /** Peak resident memory of the process after the runs, in MB. */
  readonly rssMb: number;
}

/** A figure over several runs. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/**
 * Run contenders alternately (a b c a b c …), so that a disturbance of the machine meets all of them.
 * One unmeasured round warms up.
 */
export async function runSideBySide(
  contenders: readonly Contender[],
  rounds: number,
): Promise<readonly ContenderResult[]> {
  const runs = new Map<string, Measurement[]>(contenders.map(({ name }) => [name, []]));
  const rss = new Map<string, number>();
  for (let round = 0; round <= rounds; round++) {
    for (const contender of contenders) {
      globalThis.gc?.();
      const measurement = await contender.run();
      if (round > 0) runs.get(contender.name)?.push(measurement);
      rss.set(
        contender.name,
        Math.max(rss.get(contender.name) ?? 0, process.memoryUsage.rss() / 1e6),
      );
    }
  }
  return contenders.map(({ name }) => summarise(name, runs.get(name) ?? [], rss.get(name) ?? 0));
}

/** Time a piece of work. */
export async function measure(
  messages: number,
  work: () => Promise<void> | void,
): Promise<Measurement> {
  const cpu = process.cpuUsage();
  const started = performance.now();
  await work();
  const elapsedMs = performance.now() - started;
  const used = process.cpuUsage(cpu);
  return { messages, elapsedMs, cpuMs: (used.user + used.system) / 1000 };
}

/** Print a table: every contender with its median, spread and its ratio to the first one. */
export function printTable(title: string, results: readonly ContenderResult[]): void {
  const base = results[0]?.perSecond.median ?? 1;
  const rows = results.map(({ name, perSecond, nsPerMessage, cpuNsPerMessage, rssMb }) => [
    name,
    `${count(perSecond.median)} [${count(perSecond.min)}–${count(perSecond.max)}]`,
    `${count(nsPerMessage.median)} [${count(nsPerMessage.min)}–${count(nsPerMessage.max)}]`,
    count(cpuNsPerMessage.median),
    count(rssMb),
    (perSecond.median / base).toFixed(2),
  ]);
  const table = [["", "msg/s", "ns/msg", "CPU ns/msg", "RSS MB", "ratio"], ...rows];
  const widths =
    table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? [];
  console.log(`\n${title}`);
  for (const row of table)
    console.log(
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join("  "),
    );
}

function summarise(name: string, runs: readonly Measurement[], rssMb: number): ContenderResult {
  return {
    name,
    perSecond: spread(runs.map(({ messages, elapsedMs }) => messages / (elapsedMs / 1000))),
    nsPerMessage: spread(runs.map(({ messages, elapsedMs }) => (elapsedMs * 1e6) / messages)),
    cpuNsPerMessage: spread(runs.map(({ messages, cpuMs }) => (cpuMs * 1e6) / messages)),
    rssMb,
  };
}

function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((left, right) => left - right);
  return {
    median: sorted[Math.floor(sorted.length / 2)] ?? 0,
    min: sorted[0] ?? 0,
    max: sorted.at(-1) ?? 0,
  };
}

function count(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}
