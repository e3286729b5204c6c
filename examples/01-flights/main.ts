import { parseDemoArguments, UsageError, USAGE } from "./demo-arguments.ts";
import type { DemoArguments } from "./demo-arguments.ts";
import { startDemoTransport } from "./demo-transport.ts";
import { loadFlights } from "./flights.ts";
import { printReport } from "./flight-report.ts";
import { fly } from "./fly.ts";

/** 20,000 real flights, published and handled in order, checked by a ledger. Exit code 1 on any loss or disorder. */
async function main(args: DemoArguments): Promise<boolean> {
  const flights = await loadFlights(args.flights);
  await using transport = await startDemoTransport(args);
  console.log(`${flights.length} flights over ${transport.description}`);
  return printReport(flights, await fly(flights, transport, args.metricsPort));
}

try {
  const args = parseDemoArguments(process.argv.slice(2));
  if (args === "help") console.log(USAGE);
  else if (!(await main(args))) process.exitCode = 1;
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message} (see --help)`);
  process.exitCode = 2;
}
