import type { Logger, TransportEvent, TransportHost } from "@bus/core";
import { createInstruments } from "@bus/core";
import { systemClock } from "@bus/core/adapter";

/** A host for a transport without a bus: real time, a log that drops everything, and events kept to look at. */
export interface TestHost extends TransportHost {
  /** What the transport has emitted, oldest first. */
  readonly events: readonly TransportEvent[];
}

const SILENT: Logger = Object.freeze({ debug: drop, info: drop, warn: drop, error: drop });

/**
 * Lend a transport what a bus would.
 *
 * @param parts - What should differ, for example `{ clock: manualClock() }`.
 */
export function testHost(parts: Partial<Omit<TransportHost, "emit">> = {}): TestHost {
  const events: TransportEvent[] = [];
  return {
    clock: parts.clock ?? systemClock,
    logger: parts.logger ?? SILENT,
    instruments: parts.instruments ?? createInstruments(),
    random: parts.random ?? Math.random,
    emit: (event) => void events.push(event),
    events,
  };
}

function drop(): void {
  // A test reads events and outcomes, not the log.
}
