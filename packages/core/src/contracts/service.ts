/** Names a service that one plugin provides and others find at run time; plugins never import each other. */
export interface ServiceKey<TService> {
  readonly id: string;
  /** Package to install when the service is required and missing. */
  readonly providedBy: string;
  /** Type carrier; never set. */
  readonly type?: TService;
}

/** Make a service key. Two keys with one id are the same service. */
export function serviceKey<TService>(id: string, providedBy: string): ServiceKey<TService> {
  return Object.freeze({ id, providedBy });
}

/** Whether a backlog exists: `unknown` is never `clear`. */
export type BacklogVerdict = "backlog" | "clear" | "unknown";

/** What `@bus/backlog` offers to other plugins. */
export interface BacklogSource {
  /** The newest verdict; `unknown` before the first check. */
  readonly verdict: BacklogVerdict;
  /** Called after every check; returns a function that unsubscribes. */
  onCheck(listener: (verdict: BacklogVerdict) => void): () => void;
  /** Check now (single flight). */
  check(signal?: AbortSignal): Promise<BacklogVerdict>;
}

/** What `@bus/aggregate` offers to core and other plugins. */
export interface RecoverySource {
  /** Whether the bus is in recovery mode; read by `context.recovering`. */
  readonly recovering: boolean;
}

/** The backlog detector's service. */
export const BACKLOG: ServiceKey<BacklogSource> = serviceKey("backlog", "@bus/backlog");

/** The recovery mode's service. */
export const RECOVERY: ServiceKey<RecoverySource> = serviceKey("recovery", "@bus/aggregate");
