import type { ComponentHealth, HealthReport, TransportEvent, TransportHost } from "@bus/core";
import type { MembershipState } from "./group-member.ts";

/** A membership as health sees it. */
export interface ObservedMembership {
  readonly group: string;
  readonly state: MembershipState;
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
      ({ group, state }) => [`kafka.group.${group}`, membershipHealth(state)] as const,
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

function membershipHealth({ kind, sinceMs, error }: MembershipState): ComponentHealth {
  if (kind === "ended")
    return { status: "unhealthy", detail: error?.message ?? "the membership has ended", sinceMs };
  if (kind === "closed") return { status: "unhealthy", detail: "closed", sinceMs };
  if (kind === "joined") return { status: "healthy", detail: "", sinceMs };
  return { status: "degraded", detail: kind, sinceMs };
}
