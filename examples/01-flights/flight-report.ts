import { AirportStatistics } from "./airport-statistics.ts";
import type { AirportSummary } from "./airport-statistics.ts";
import type { FlyReport } from "./fly.ts";
import type { NumberedFlight } from "./flights.ts";

const SHOWN = 10;

/**
 * Print what the demo did and compare it with the data set computed directly.
 *
 * @returns Whether nothing was lost, repeated or out of order, everything is committed and every figure is right.
 */
export function printReport(flights: readonly NumberedFlight[], report: FlyReport): boolean {
  const direct = new AirportStatistics();
  for (const flight of flights) direct.add(flight);
  const expected = direct.busiest(direct.airports);
  const actual = report.statistics.busiest(report.statistics.airports);
  const equal = JSON.stringify(expected) === JSON.stringify(actual);
  printTable(actual.slice(0, SHOWN));
  return printVerdict(report, equal);
}

function printTable(airports: readonly AirportSummary[]): void {
  console.log("\nairport  flights  mean delay  p95 delay");
  for (const { airport, flights, meanDelay, p95Delay } of airports) {
    console.log(
      `${airport.padEnd(7)}${String(flights).padStart(9)}${meanDelay.toFixed(2).padStart(12)}${String(p95Delay).padStart(11)}`,
    );
  }
}

function printVerdict({ verdict, elapsedMs, modes }: FlyReport, equal: boolean): boolean {
  const { published, handled, lost, duplicated, disordered, overlapped, drained } = verdict;
  const counts = { lost, duplicated, disordered, overlapped, undrained: drained };
  const perSecond = Math.round(handled / (elapsedMs / 1000)).toLocaleString("en-US");
  console.log(`\n${handled} flights in ${(elapsedMs / 1000).toFixed(2)} s, ${perSecond} a second`);
  console.log(`modes: ${modes.join(" → ")}`);
  console.log(
    `statistics ${equal ? "equal" : "DIFFER FROM"} those computed directly from the data set`,
  );
  const summary = Object.entries(counts).map(
    ([name, finding]) => `${name} ${finding?.count ?? "unknown"}`,
  );
  console.log(`ledger: published ${published}, handled ${handled}, ${summary.join(", ")}`);
  const clean =
    equal &&
    published === handled &&
    Object.values(counts).every((finding) => finding?.count === 0);
  console.log(
    clean ? "verdict: every flight handled exactly once and in order" : "verdict: FAILED",
  );
  return clean;
}
