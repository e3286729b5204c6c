import type { BatchHandler, Handler } from "../contracts/handler.ts";
import type { BusHealth } from "../contracts/health.ts";
import type { PublishReceipt } from "../contracts/message.ts";
import type { BusStatus } from "../contracts/observer.ts";
import type { PluginInstance } from "../contracts/plugin.ts";
import type { Subscription } from "../contracts/subscribe.ts";
import type { Topic } from "../contracts/topic.ts";
import type { CloseReport } from "../contracts/transport.ts";
import { BusClosedError, BusConfigError, BusError } from "../errors/bus-error.ts";
import type { PublishOptions } from "../publish/encode-message.ts";
import type { BusCore } from "./bus-core.ts";
import type { ResolvedBusOptions } from "./bus-options.ts";
import { BusPublishing } from "./bus-publishing.ts";
import type { BusWatch } from "./bus-watch.ts";
import type { BusTransaction, StreamedMessage } from "./event-bus.ts";
import { HealthBoard } from "./health-checks.ts";
import { MessageStream } from "./message-stream.ts";
import { PublishProbe } from "./publish-probe.ts";
import { runTransaction } from "./run-transaction.ts";
import type { Subscriptions } from "./subscriptions.ts";

/** A plugin at work, with its name. */
export interface InstalledPlugin {
  readonly name: string;
  readonly instance: PluginInstance<object>;
}

/** What a bus is put together from. */
export interface BusRuntimeParts {
  readonly core: BusCore;
  readonly subscriptions: Subscriptions;
  readonly plugins: readonly InstalledPlugin[];
  readonly watch: BusWatch;
  readonly options: ResolvedBusOptions;
}

/** The life of a bus: created → starting → running → closing → closed; and what can be done in each of these. */
export class BusRuntime {
  readonly #parts: BusRuntimeParts;
  readonly #health = new HealthBoard();
  readonly #streams = new Set<MessageStream>();
  readonly #publishing: BusPublishing;
  readonly #probe: PublishProbe | undefined;
  #status: BusStatus = "created";
  #mayPublish = true;
  #starting: Promise<void> | undefined;
  #startFailed = false;
  #closing: Promise<CloseReport> | undefined;

  constructor(parts: BusRuntimeParts) {
    this.#parts = parts;
    this.#publishing = new BusPublishing(parts.core.publish);
    const { clock, transport } = parts.core;
    const { publishProbe: options } = parts.options;
    if (options !== undefined) this.#probe = new PublishProbe({ clock, transport, options });
  }

  get status(): BusStatus {
    return this.#status;
  }

  start(): Promise<void> {
    if (this.#closing !== undefined)
      return Promise.reject(new BusClosedError("cannot start: the bus is closing or closed"));
    this.#starting ??= this.#start();
    return this.#starting;
  }

  close(drainTimeoutMs: number | undefined): Promise<CloseReport> {
    this.#closing ??= this.#close(drainTimeoutMs ?? this.#parts.options.drainTimeoutMs);
    return this.#closing;
  }

  publish(
    topic: Topic<unknown, never> | string,
    value: unknown,
    options?: PublishOptions,
  ): Promise<PublishReceipt> {
    const refusal = this.#publishRefusal();
    if (refusal !== undefined) return Promise.reject(refusal);
    return this.#publishing.publish(topic, value, options);
  }

  publishMany(
    topic: Topic<unknown, never>,
    values: readonly unknown[],
    options?: PublishOptions,
  ): Promise<readonly PublishReceipt[]> {
    const refusal = this.#publishRefusal();
    if (refusal !== undefined) return Promise.reject(refusal);
    return this.#publishing.publishMany(topic, values, options);
  }

  async transaction<TResult>(
    body: (transaction: BusTransaction) => Promise<TResult>,
  ): Promise<TResult> {
    const refusal = this.#publishRefusal();
    if (refusal !== undefined) throw refusal;
    return runTransaction(this.#parts, body);
  }

  subscribe(
    topic: Topic<unknown, never> | string,
    handler: Handler<never>,
    options: unknown,
  ): Promise<Subscription> {
    return this.#parts.subscriptions.subscribe(topic, handler, options);
  }

  subscribeBatch(
    topic: Topic<unknown, never>,
    handler: BatchHandler<never>,
    options: unknown,
  ): Promise<Subscription> {
    return this.#parts.subscriptions.subscribeBatch(topic, handler, options);
  }

  stream<TValue>(
    topic: Topic<TValue, never>,
    options: unknown,
  ): AsyncIterableIterator<StreamedMessage<TValue>> {
    const stream = new MessageStream((handler) => this.subscribe(topic, handler, options));
    this.#streams.add(stream);
    // The topic's codec and schema decide the type of the values that its messages carry.
    return stream as AsyncIterableIterator<StreamedMessage<TValue>>;
  }

  health(): Promise<BusHealth> {
    const { core, subscriptions, watch, options } = this.#parts;
    const { stalledAfterMs, disconnectedAfterMs, rebalancingAfterMs } = options;
    const { consumers } = subscriptions;
    const limits = { stalledAfterMs, disconnectedAfterMs, rebalancingAfterMs };
    const probe = this.#probe;
    return this.#health.check({ core, status: this.#status, consumers, watch, probe, ...limits });
  }

  async #start(): Promise<void> {
    this.#become("starting");
    try {
      await this.#parts.core.transport.connect();
      this.#parts.watch.start();
      for (const { instance } of this.#parts.plugins) await instance.start?.();
      await this.#parts.subscriptions.start();
    } catch (error) {
      this.#startFailed = true;
      // Nothing of a failed start stays behind; the caller gets the reason, not what closing may add to it.
      await this.close(0).catch((closeError: unknown) =>
        this.#parts.core.reporter.defect("closing after a failed start failed", closeError),
      );
      throw error;
    }
    if (this.#closing === undefined) this.#become("running");
  }

  async #close(drainTimeoutMs: number): Promise<CloseReport> {
    const failures: unknown[] = [];
    const attempt = async <TResult>(
      what: () => Promise<TResult> | TResult,
    ): Promise<TResult | undefined> => {
      try {
        return await what();
      } catch (error) {
        failures.push(error);
        return undefined;
      }
    };
    // A start under way must settle first (its failure belongs to its caller), unless it closes after its own failure.
    if (!this.#startFailed) await this.#starting?.catch(() => undefined);
    this.#become("closing");
    for (const stream of this.#streams) stream.finish();
    const report = await attempt(() => this.#parts.subscriptions.close({ drainTimeoutMs }));
    for (const { instance } of this.#parts.plugins.toReversed())
      await attempt(() => instance.close?.());
    this.#mayPublish = false;
    await attempt(() => this.#parts.core.transport.close({ drainTimeoutMs }));
    this.#parts.watch.stop();
    this.#become("closed");
    if (failures.length > 0) throw closeFailed(failures);
    return report ?? { abandonedDeliveries: 0 };
  }

  #become(status: BusStatus): void {
    this.#status = status;
    this.#parts.core.hub.notify("statusChanged", status);
  }

  /** Why nothing may be published now; `undefined` when it may. */
  #publishRefusal(): BusError | undefined {
    if (!this.#mayPublish) return new BusClosedError("cannot publish: the bus is closed");
    if (this.#status !== "created") return undefined;
    return new BusConfigError("BUS_CONFIG", "cannot publish: call start() first", {
      details: { path: "status", value: this.#status },
    });
  }
}

function closeFailed(failures: readonly unknown[]): BusError {
  const [first] = failures;
  if (BusError.is(first)) return first;
  return new BusError("BUS_PLUGIN", `${failures.length} parts of the bus failed while closing`, {
    cause: first,
    details: { failures },
  });
}
