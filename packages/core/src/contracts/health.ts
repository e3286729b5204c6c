/** Worst first when merged: `unhealthy`, `degraded`, `healthy`. */
export type HealthStatus = "healthy" | "degraded" | "unhealthy";

/** State of one part of a bus. */
export interface ComponentHealth {
  readonly status: HealthStatus;
  /** One sentence for a person, empty when there is nothing to say. */
  readonly detail: string;
  /** Milliseconds since the Unix epoch at which the status was entered. */
  readonly sinceMs: number;
}

/** Components by name, as reported by a transport or a plugin. */
export type HealthReport = Readonly<Record<string, ComponentHealth>>;

/** The answer of `bus.health()`. */
export interface BusHealth {
  readonly overall: HealthStatus;
  readonly components: HealthReport;
  readonly metrics: Readonly<Record<string, number>>;
  /** Milliseconds since the Unix epoch. */
  readonly lastCheckMs: number;
}

/** A check of the user's own; a rejection is `unhealthy`, a check that hangs beyond its timeout is `degraded`. */
export interface HealthCheck {
  readonly name: string;
  check(
    signal: AbortSignal,
  ): Promise<Omit<ComponentHealth, "sinceMs">> | Omit<ComponentHealth, "sinceMs">;
}
