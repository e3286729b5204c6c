import type { ComponentHealth, HealthReport, TransportEvent, TransportHost } from "@bus/core";
import type { MembershipState, UnreadablePartition } from "./group-member.ts";
import type { RecordDecoder } from "./kafka-driver.ts";

/** A membership as health sees it. */
export interface ObservedMembership {
  readonly group: string;
  readonly state: MembershipState;
  readonly stuck: readonly UnreadablePartition[];
  readonly decoder: RecordDecoder;
}

/** Follows what a driver tells and turns it into health; passes everything on. */
export class ConnectionState {
  /** The host to lend to a driver. */
  readonly host: TransportHost;
  #health: ComponentHealth;

  constructor(host: TransportHost) {
    this.#health = { status: "unhealthy", detail: "not connected yet", sinceMs: host.clock.now() };
    this.host = {
      clock: host.clock,
      logger: host.logger,
      instruments: host.instruments,
      random: () => host.random(),
      emit: (event) => {
        this.#follow(event, host.clock.now());
        host.emit(event);
      },
    };
  }

  report(memberships: readonly ObservedMembership[]): HealthReport {
    const components = memberships.map(
      (membership) => [`kafka.group.${membership.group}`, membershipHealth(membership)] as const,
    );
    return { "kafka.connection": this.#health, ...Object.fromEntries(components) };
  }

  #follow(event: TransportEvent, nowMs: number): void {
    if (event.kind === "connected") {
      this.#health = { status: "healthy", detail: "", sinceMs: nowMs };
    } else if (event.kind === "disconnected" || event.kind === "reconnecting") {
      const detail = event.error instanceof Error ? event.error.message : String(event.error);
      const sinceMs = this.#health.status === "degraded" ? this.#health.sinceMs : nowMs;
      this.#health = { status: "degraded", detail, sinceMs };
    }
  }
}

function membershipHealth({ state, stuck, decoder }: ObservedMembership): ComponentHealth {
  const { kind, sinceMs, error } = state;
  if (kind === "ended")
    return { status: "unhealthy", detail: error?.message ?? "the membership has ended", sinceMs };
  if (kind === "closed") return { status: "unhealthy", detail: "closed", sinceMs };
  if (kind === "joining") return { status: "degraded", detail: kind, sinceMs };
  // Rebalances are everyday life; the bus tells of one that takes long.
  if (kind === "rebalancing") return { status: "healthy", detail: kind, sinceMs };
  const [first] = stuck;
  if (first !== undefined) return stuckHealth(first, stuck.length);
  // Slower, but whole: nothing that health is to be worse for.
  const { name, fallbackReason } = decoder;
  const detail =
    fallbackReason === undefined ? "" : `records are decoded by ${name}, slower: ${fallbackReason}`;
  return { status: "healthy", detail, sinceMs };
}

function stuckHealth(first: UnreadablePartition, count: number): ComponentHealth {
  const { topic, partition, error, sinceMs } = first;
  const others = count === 1 ? "" : ` (and ${count - 1} more)`;
  const detail = `${topic}[${partition}]${others} stands still: ${error.message}; it is tried again`;
  return { status: "degraded", detail, sinceMs };
}
