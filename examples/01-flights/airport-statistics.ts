import type { Flight } from "./flights.ts";

/** What is known of one airport. */
export interface AirportSummary {
  readonly airport: string;
  readonly flights: number;
  readonly meanDelay: number;
  /** The delay that 95 % of the flights do not exceed (nearest rank). */
  readonly p95Delay: number;
}

/** Collects delays per airport of origin. */
export class AirportStatistics {
  readonly #delays = new Map<string, number[]>();

  add(flight: Flight): void {
    const delays = this.#delays.get(flight.origin);
    if (delays === undefined) this.#delays.set(flight.origin, [flight.delay]);
    else delays.push(flight.delay);
  }

  get airports(): number {
    return this.#delays.size;
  }

  /** The airports with the most flights, busiest first, then by name. */
  busiest(count: number): readonly AirportSummary[] {
    return Array.from(this.#delays, ([airport, delays]) => summarise(airport, delays))
      .toSorted(
        (left, right) => right.flights - left.flights || left.airport.localeCompare(right.airport),
      )
      .slice(0, count);
  }
}

function summarise(airport: string, delays: readonly number[]): AirportSummary {
  const sorted = delays.toSorted((left, right) => left - right);
  const sum = sorted.reduce((total, delay) => total + delay, 0);
  const p95Delay = sorted[Math.ceil(sorted.length * 0.95) - 1] ?? Number.NaN;
  return { airport, flights: sorted.length, meanDelay: sum / sorted.length, p95Delay };
}
