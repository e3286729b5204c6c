import { setTimeout as sleep } from "node:timers/promises";
import { aggregate } from "@bus/aggregate";
import { backlog } from "@bus/backlog";
import type { BacklogApi } from "@bus/backlog";
import { createEventBus } from "@bus/core";
import { metrics } from "@bus/metrics";
import type { MetricsApi } from "@bus/metrics";
import { createLedger, until } from "@bus/testkit";
import type { LedgerEntry, LedgerVerdict } from "@bus/testkit";
import { AirportStatistics } from "./airport-statistics.ts";
import type { DemoTransport } from "./demo-transport.ts";
import { FlightBoard } from "./flight-board.ts";
import { Flights } from "./flights.ts";
import type { NumberedFlight } from "./flights.ts";

/** What the demo did and what its ledger says. */
export interface FlyReport {
  readonly statistics: AirportStatistics;
  readonly verdict: LedgerVerdict;
  readonly elapsedMs: number;
  /** Modes that the bus was in, in order. */
  readonly modes: readonly string[];
}

const GROUP = "delays";
const DEADLINE_MS = 60_000;
/** The rush: most flights arrive at once, and the first half of them meets a slow dependency. */
const RUSH_SHARE = 0.8;
const SLOW_SHARE = 0.4;
const SLOW_MS = 2;
const PUBLISH_AT_ONCE = 1_000;
const TRICKLE_AT_ONCE = 200;
const TRICKLE_EVERY_MS = 25;

/** A bus that notices when it is behind and then keeps every airport in a lane of its own. */
function createFlightBus({ transport }: DemoTransport, metricsPort: number | undefined) {
  return createEventBus({
    group: GROUP,
    transport,
    plugins: [
      aggregate({ startMode: "normal", clearChecks: 3, minDwellMs: 0 }),
      backlog({ maxLagMessages: 400, checkIntervalMs: 100 }),
      metrics(metricsPort === undefined ? {} : { server: { port: metricsPort } }),
    ],
  });
}

/** Publish every flight and handle it: first more than the handler can take, then at an easy pace. */
export async function fly(
  flights: readonly NumberedFlight[],
  demo: DemoTransport,
  metricsPort?: number,
): Promise<FlyReport> {
  const ledger = createLedger();
  const statistics = new AirportStatistics();
  const slow = Math.floor(flights.length * SLOW_SHARE);
  const startedMs = performance.now();

  await using bus = createFlightBus(demo, metricsPort);
  const board = new FlightBoard(bus, flights.length);
  bus.onModeChange(({ mode, reason }) => board.modeChanged(mode, reason));
  await bus.subscribeWithAggregateId(Flights, async ({ value }) => {
    const run = ledger.handling(entryOf(value));
    if (board.handled < slow) await sleep(SLOW_MS);
    statistics.add(value);
    run.done();
    board.handled++;
  });
  await bus.start();
  tellWhereToLook(bus);
  board.open();

  const isOver = (): boolean => ledger.outstanding === 0 && !bus.isInRecoveryMode();
  const publish = async (part: readonly NumberedFlight[]): Promise<void> => {
    await bus.publishMany(Flights, part);
    for (const flight of part) ledger.published(entryOf(flight));
    board.published += part.length;
  };
  const rush = Math.floor(flights.length * RUSH_SHARE);
  for (const part of parts(flights.slice(0, rush), PUBLISH_AT_ONCE)) await publish(part);
  await until(isOver, { timeoutMs: DEADLINE_MS, what: "the rush to be over" });
  for (const part of parts(flights.slice(rush), TRICKLE_AT_ONCE)) {
    await publish(part);
    await sleep(TRICKLE_EVERY_MS);
  }
  await until(isOver, { timeoutMs: DEADLINE_MS, what: "every flight handled" });
  const elapsedMs = performance.now() - startedMs;
  await until(() => isCommitted(bus), { timeoutMs: DEADLINE_MS, what: "every offset committed" });
  board.close();
  const verdict = await ledger.verdict({
    reader: { read: (query) => bus.lag(query) },
    group: GROUP,
  });
  return { statistics, verdict, elapsedMs, modes: board.modes };
}

function tellWhereToLook({ metrics: { url } }: MetricsApi): void {
  if (url !== undefined)
    console.log(
      `metrics at ${url}/metrics, health at ${url}/health, while the flights are under way`,
    );
}

async function isCommitted({ backlog: detector }: BacklogApi): Promise<boolean> {
  return (await detector.isNoBacklog()) && detector.detail()?.totalLagMessages === 0n;
}

function parts(
  flights: readonly NumberedFlight[],
  size: number,
): readonly (readonly NumberedFlight[])[] {
  const count = Math.ceil(flights.length / size);
  return Array.from({ length: count }, (_, index) =>
    flights.slice(index * size, (index + 1) * size),
  );
}

function entryOf(flight: NumberedFlight): LedgerEntry {
  return { topic: Flights.name, key: flight.origin, sequence: flight.sequence };
}
