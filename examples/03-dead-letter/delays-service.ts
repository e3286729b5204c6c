import { readFile } from "node:fs/promises";
import { defineTopic } from "@bus/core";
import type { Handler, Topic } from "@bus/core";
import { z } from "zod";

/** A flight as the service wants it. */
export interface Flight {
  readonly date: string;
  readonly delay: number;
  readonly origin: string;
}

/** What the service has learnt from its dead letters, and what it has done. */
export const service = { isFixed: false, handled: 0, calls: 0 };

const minutes = z.preprocess(
  (value) => (service.isFixed && typeof value === "string" ? Number(value) : value),
  z.number(),
);

// What zod reads before `preprocess` is unknown to it; publishers of this service send whole flights.
const schema = z.object({ date: z.string(), delay: minutes, origin: z.string() }) as z.ZodType<
  Flight,
  Flight
>;

/** Flights of one airport share a key. */
export const Flights: Topic<Flight, Flight> = defineTopic("flights", {
  schema,
  key: (flight: Flight) => flight.origin,
});

/** Keeps statistics per time zone; has a bug, and a dependency that fails now and then. */
export const handleFlight: Handler<Flight> = ({ value: flight }, { attempt }) => {
  service.calls += 1;
  if (service.calls % 100 === 0 && attempt === 1)
    throw Object.assign(new Error("the zone service does not answer"), { code: "ECONNRESET" });
  const zone = service.isFixed || flight.origin !== "HNL" ? { name: flight.origin } : undefined;
  // The bug: nobody has thought of Hawaii.
  if ((zone as { readonly name: string }).name !== "") service.handled += 1;
};

/** The first flights of the data set. Source: vega-datasets `flights-20k.json`, US flights of 2001. */
export async function loadFlights(count: number): Promise<readonly Flight[]> {
  const file = new URL("../data/flights-20k.json", import.meta.resolve("vega-datasets"));
  const flights: readonly Flight[] = JSON.parse(await readFile(file, "utf8"));
  return flights.slice(0, count);
}
