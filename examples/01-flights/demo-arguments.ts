import { parseArgs } from "node:util";

/** What the demo is asked to do. */
export interface DemoArguments {
  readonly transport: "memory" | "kafka" | "nats";
  readonly flights: number;
  readonly partitions: number;
  /** Port of the HTTP server for metrics and health; 0 lets the system choose. */
  readonly metricsPort?: number;
}

/** Everything there is in the data set. */
const ALL_FLIGHTS = 20_000;

export const USAGE: string = `usage: pnpm demo [options]

  --transport memory|kafka|nats
                            where the flights travel (default memory; kafka and nats start a real broker
                            on this machine, or use the one that KAFKA_BROKERS or NATS_URL names)
  --flights N               how many flights, 1 to ${ALL_FLIGHTS} (default all)
  --partitions N            partitions of the topic, 1 to 256 (default 16)
  --metrics PORT            serve metrics and health on this port of the loopback interface
                            (0 lets the system choose)
  --help                    this text`;

/** Thrown for arguments that make no sense; the message is for the person who typed them. */
export class UsageError extends Error {}

/**
 * Read the command line.
 *
 * @returns `"help"` when the person asked for it.
 * @throws UsageError naming the argument and its value.
 */
export function parseDemoArguments(args: readonly string[]): DemoArguments | "help" {
  const { values } = parse(args);
  if (values.help === true) return "help";
  const metricsPort = values.metrics === undefined ? {} : { metricsPort: portOf(values.metrics) };
  return {
    ...metricsPort,
    transport: transportOf(values.transport ?? "memory"),
    flights: integerOf("--flights", values.flights ?? String(ALL_FLIGHTS), ALL_FLIGHTS),
    partitions: integerOf("--partitions", values.partitions ?? "16", 256),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: args.filter((arg, index) => !(arg === "--" && index === 0)),
      options: {
        transport: { type: "string" },
        flights: { type: "string" },
        partitions: { type: "string" },
        metrics: { type: "string" },
        help: { type: "boolean" },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function transportOf(text: string): DemoArguments["transport"] {
  if (text === "memory" || text === "kafka" || text === "nats") return text;
  throw new UsageError(`--transport must be memory, kafka or nats, got ${JSON.stringify(text)}`);
}

function integerOf(name: string, text: string, max: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= max) return value;
  throw new UsageError(`${name} must be an integer from 1 to ${max}, got ${JSON.stringify(text)}`);
}

function portOf(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= 65_535) return value;
  throw new UsageError(`--metrics must be a port from 0 to 65535, got ${JSON.stringify(text)}`);
}
