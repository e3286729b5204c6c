import type { Logger } from "../contracts/logger.ts";
import type { Observer } from "../contracts/observer.ts";

/** Hooks by name. */
type HookName = keyof Observer;
type HookArguments<Name extends HookName> = Parameters<NonNullable<Observer[Name]>>;

/** Passes what happens on to every observer that wants it; one that throws is logged and never felt by a message. */
export class ObserverHub {
  readonly #observers: Observer[] = [];
  readonly #logger: Logger;
  #wanted: ReadonlySet<HookName> = new Set();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  add(observer: Observer): void {
    this.#observers.push(observer);
    this.#wanted = new Set(
      HOOKS.filter((hook) => this.#observers.some((one) => one[hook] !== undefined)),
    );
  }

  /** Whether anybody listens; lets hot paths skip building arguments. */
  wants(hook: HookName): boolean {
    return this.#wanted.has(hook);
  }

  notify<Name extends HookName>(hook: Name, ...details: HookArguments<Name>): void {
    if (!this.#wanted.has(hook)) return;
    for (const observer of this.#observers) {
      try {
        // TypeScript cannot relate a hook's parameters to its name through a union of functions.
        const listener = observer[hook] as ((...details: HookArguments<Name>) => void) | undefined;
        listener?.apply(observer, details);
      } catch (error) {
        this.#logger.error("an observer threw", { hook, error });
      }
    }
  }
}

const HOOKS: readonly HookName[] = [
  "published",
  "publishFailed",
  "received",
  "settled",
  "retried",
  "deadLettered",
  "deadLetterFailed",
  "modeChanged",
  "statusChanged",
  "transport",
];
