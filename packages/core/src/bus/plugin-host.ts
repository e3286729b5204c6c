import type { Failure, DeadLetterPolicy, RetryPolicy } from "../contracts/failure.ts";
import type { HealthCheck } from "../contracts/health.ts";
import type { Admit, AnyHandler, PublishFunction, ServiceDirectory } from "../contracts/plugin.ts";
import type { Ordering, SchedulerFactory, SubscriptionSpec } from "../contracts/scheduler.ts";
import type { ServiceKey } from "../contracts/service.ts";
import { BusConfigError } from "../errors/bus-error.ts";

/** Wraps a handler; composed once per subscription. */
export type HandlerWrap = (next: AnyHandler, subscription: SubscriptionSpec) => AnyHandler;

/** What plugins have contributed to the paths of a bus. */
export class PathContributions {
  readonly admits: Admit[] = [];
  readonly healthChecks: HealthCheck[] = [];
  readonly #handlerWraps: HandlerWrap[] = [];
  readonly #publishWraps: ((next: PublishFunction) => PublishFunction)[] = [];
  readonly #schedulers = new Map<Ordering, SchedulerFactory>();
  retryPolicy: RetryPolicy | undefined;
  deadLetterPolicy: DeadLetterPolicy | undefined;

  wrapPublish(wrap: (next: PublishFunction) => PublishFunction): void {
    this.#publishWraps.push(wrap);
  }

  wrapHandler(wrap: HandlerWrap): void {
    this.#handlerWraps.push(wrap);
  }

  provideScheduler(ordering: Ordering, factory: SchedulerFactory): void {
    if (this.#schedulers.has(ordering)) throw twice(`scheduler for ordering ${ordering}`);
    this.#schedulers.set(ordering, factory);
  }

  scheduler(ordering: Ordering): SchedulerFactory | undefined {
    return this.#schedulers.get(ordering);
  }

  /** Serve a stage; the two stages have policies of different types, told apart by the stage's name. */
  onFailure(stage: "retry" | "deadLetter", policy: RetryPolicy | DeadLetterPolicy): void {
    if (stage === "retry") {
      if (this.retryPolicy !== undefined) throw twice("policy for stage retry");
      this.retryPolicy = policy as RetryPolicy; // the overloads of PathHooks.onFailure pair stage and type
      return;
    }
    if (this.deadLetterPolicy !== undefined) throw twice("policy for stage deadLetter");
    const store = policy as DeadLetterPolicy; // as above
    this.deadLetterPolicy = (failure: Failure, errorClass: string) => store(failure, errorClass);
  }

  /** The first installed wrap is outermost. */
  composePublish(innermost: PublishFunction): PublishFunction {
    return this.#publishWraps.reduceRight((next, wrap) => wrap(next), innermost);
  }

  /** The first installed wrap is outermost. */
  composeHandler(handler: AnyHandler, spec: SubscriptionSpec): AnyHandler {
    return this.#handlerWraps.reduceRight((next, wrap) => wrap(next, spec), handler);
  }
}

/** Services by id. */
export class Services implements ServiceDirectory {
  readonly #services = new Map<string, unknown>();

  provide<TService>(key: ServiceKey<TService>, service: TService): void {
    if (this.#services.has(key.id)) throw twice(`service ${key.id}`);
    this.#services.set(key.id, service);
  }

  find<TService>(key: ServiceKey<TService>): TService | undefined {
    // Keys with one id carry one type: `provide` above stored it under the same key.
    return this.#services.get(key.id) as TService | undefined;
  }

  require<TService>(key: ServiceKey<TService>): TService {
    const service = this.find(key);
    if (service !== undefined) return service;
    throw new BusConfigError(
      "BUS_SERVICE_MISSING",
      `service ${key.id} is missing: install ${key.providedBy}`,
      {
        details: { service: key.id, install: key.providedBy },
      },
    );
  }
}

function twice(what: string): BusConfigError {
  return new BusConfigError("BUS_CONFIG", `two plugins provide the ${what}`, {
    details: { path: "plugins", value: what },
  });
}
