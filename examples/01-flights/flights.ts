import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { defineTopic } from "@bus/core";
import type { Topic } from "@bus/core";

/** A flight as the data set has it. Source: vega-datasets `flights-20k.json`, US flights of 2001 in order of time. */
export interface Flight {
  readonly date: string;
  /** Minutes late on arrival; negative when early. */
  readonly delay: number;
  readonly distance: number;
  readonly origin: string;
  readonly destination: string;
}

/** A flight with its place among the flights of its airport, so that a ledger can tell loss, repetition and disorder. */
export interface NumberedFlight extends Flight {
  /** 0 for the first flight of an airport. */
  readonly sequence: number;
}

/** Flights of one airport share a key: they stay in one partition and in order. */
export const Flights: Topic<NumberedFlight> = defineTopic<NumberedFlight>("flights", {
  key: (flight) => flight.origin,
});

/** The first `count` flights of the data set, numbered per airport. */
export async function loadFlights(count: number): Promise<readonly NumberedFlight[]> {
  const file = new URL("../data/flights-20k.json", import.meta.resolve("vega-datasets"));
  const flights: readonly Flight[] = JSON.parse(await readFile(fileURLToPath(file), "utf8"));
  const next = new Map<string, number>();
  return flights.slice(0, count).map((flight) => {
    const sequence = next.get(flight.origin) ?? 0;
    next.set(flight.origin, sequence + 1);
    return { ...flight, sequence };
  });
}
