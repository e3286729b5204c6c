import { BusConfigError } from "@bus/core";
import type {
  BacklogSource,
  BacklogVerdict,
  Clock,
  HealthCheck,
  Logger,
  ModeEvent,
  RecoverySource,
} from "@bus/core";
import { checkEvent, nextState, startState } from "./recovery-mode.ts";
import type { ModeEventKind, ModeRules, ModeState } from "./recovery-mode.ts";
import type { Mode } from "./route.ts";

/** When the mode changes; see `AggregateOptions` for each. */
export interface RecoveryOptions extends ModeRules {
  readonly startMode: Mode;
  readonly activeLaneRatio: number;
}

/** What steers and is steered by the recovery mode. */
export interface RecoveryParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly lanes: () => { readonly active: number; readonly total: number };
  /** Called with each new mode before anybody else hears of it. */
  readonly apply: (mode: Mode) => void;
  /** Tells the observers of the bus. */
  readonly report: (event: ModeEvent) => void;
}

/** Keeps the recovery mode of a bus: hears the checks of the backlog and `setRecoveryMode`, tells whoever listens. */
export class RecoveryController implements RecoverySource {
  readonly #options: RecoveryOptions;
  readonly #parts: RecoveryParts;
  readonly #listeners = new Set<(event: ModeEvent) => void>();
  #state: ModeState;
  #source: BacklogSource | undefined;
  #stopListening: (() => void) | undefined;

  constructor(options: RecoveryOptions, parts: RecoveryParts) {
    this.#options = options;
    this.#parts = parts;
    this.#state = startState(options.startMode, parts.clock.now());
  }

  get recovering(): boolean {
    return this.#state.mode === "recovery";
  }

  get state(): ModeState {
    return this.#state;
  }

  /** Follow the checks of a backlog detector; without one the mode changes by hand only. */
  follow(source: BacklogSource | undefined): void {
    this.#source = source;
    this.#stopListening = source?.onCheck((verdict) => this.#onCheck(verdict));
  }

  /** `true` and `false` hold until `"auto"`, which leaves the mode as it is and asks for a check at once. */
  set(wanted: boolean | "auto"): void {
    if (wanted !== "auto" && typeof wanted !== "boolean") throw invalidMode(wanted);
    if (wanted !== "auto") return this.#take(wanted ? "setRecovery" : "setNormal");
    this.#take("setAuto");
    this.#source?.check().catch((error: unknown) => {
      this.#parts.logger.warn("a check of the backlog failed; it counts as unknown", { error });
      this.#take("unknown");
    });
  }

  onModeChange(listener: (event: ModeEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  close(): void {
    this.#stopListening?.();
    this.#stopListening = undefined;
    this.#source = undefined;
  }

  healthCheck(): HealthCheck {
    return {
      name: "recovery",
      check: () => {
        const { mode, steering, reason } = this.#state;
        const detail = `${mode} mode (${reason}${steering === "manual" ? ", held by hand until setRecoveryMode auto" : ""})`;
        return {
          status: mode === "recovery" && reason === "backlog" ? "degraded" : "healthy",
          detail,
        };
      },
    };
  }

  #onCheck(verdict: BacklogVerdict): void {
    this.#take(checkEvent(verdict, this.#parts.lanes(), this.#options.activeLaneRatio));
  }

  #take(kind: ModeEventKind): void {
    const before = this.#state;
    this.#state = nextState(before, { kind, atMs: this.#parts.clock.now() }, this.#options);
    if (this.#state.mode === before.mode) return;
    const { mode, reason, sinceMs } = this.#state;
    this.#parts.apply(mode);
    const event: ModeEvent = Object.freeze({ mode, reason, sinceMs });
    this.#parts.report(event);
    for (const listener of Array.from(this.#listeners)) this.#tell(listener, event);
  }

  #tell(listener: (event: ModeEvent) => void, event: ModeEvent): void {
    try {
      listener(event);
    } catch (error) {
      this.#parts.logger.error("a listener of onModeChange threw", { error });
    }
  }
}

function invalidMode(value: unknown): BusConfigError {
  return new BusConfigError(
    "BUS_CONFIG",
    `recovery mode must be true, false or "auto", got ${JSON.stringify(value)}`,
    {
      details: { path: "setRecoveryMode", value },
    },
  );
}
