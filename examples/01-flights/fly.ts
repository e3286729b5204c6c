import { createEventBus } from "@bus/core";
import type { EventBus } from "@bus/core";
import { createLedger, until } from "@bus/testkit";
import type { LedgerVerdict } from "@bus/testkit";
import { AirportStatistics } from "./airport-statistics.ts";
import type { DemoTransport } from "./demo-transport.ts";
import { Flights } from "./flights.ts";
import type { NumberedFlight } from "./flights.ts";
import { ProgressLine } from "./progress-line.ts";

/** What the demo did and what its ledger says. */
export interface FlyReport {
  readonly statistics: AirportStatistics;
  readonly verdict: LedgerVerdict;
  readonly elapsedMs: number;
}

/** Flights of one call; small enough that handlers start while publishing goes on. */
const PUBLISH_AT_ONCE = 1_000;
const DEADLINE_MS = 60_000;

/** Publish every flight and handle it: the job that everything else in this repository makes safe. */
export async function fly(flights: readonly NumberedFlight[], { transport }: DemoTransport): Promise<FlyReport> {
  const ledger = createLedger();
  const statistics = new AirportStatistics();
  const progress = new ProgressLine(flights.length);
  let published = 0;
  let handled = 0;
  const startedMs = performance.now();

  await using bus = createEventBus({ group: "delays", transport });
  await bus.subscribe(Flights, ({ value }) => {
    const run = ledger.handling(entryOf(value));
    statistics.add(value);
    run.done();
    progress.update(published, ++handled);
  });
  await bus.start();
  for (let from = 0; from < flights.length; from += PUBLISH_AT_ONCE) {
    const batch = flights.slice(from, from + PUBLISH_AT_ONCE);
    await bus.publishMany(Flights, batch);
    for (const flight of batch) ledger.published(entryOf(flight));
    published += batch.length;
  }
  await until(() => ledger.outstanding === 0, { timeoutMs: DEADLINE_MS, what: "every flight handled" });
  const elapsedMs = performance.now() - startedMs;
  await until(() => isDrained(bus), { timeoutMs: DEADLINE_MS, what: "every offset committed" });
  const verdict = await ledger.verdict({ reader: { read: (query) => bus.lag(query) }, group: "delays" });
  return { statistics, verdict, elapsedMs };
}

async function isDrained(bus: EventBus): Promise<boolean> {
  const lag = await bus.lag();
  return lag.unknown.length === 0 && lag.partitions.every(({ lagMessages }) => lagMessages === 0n);
}

function entryOf(flight: NumberedFlight): { readonly topic: string; readonly key: string; readonly sequence: number } {
  return { topic: Flights.name, key: flight.origin, sequence: flight.sequence };
}
