import { BusConfigError } from "@bus/core";
import type { TransportHost } from "@bus/core";
import type {
  ConsumerSink,
  DriverConsumer,
  KafkaDriver,
  KafkaDriverFactory,
} from "./kafka-driver.ts";
import type { KafkaDriverName, ResolvedKafkaOptions } from "./kafka-options.ts";

/** The drivers of this package. A client is loaded only when its name stands in a configuration. */
const LOADERS: Readonly<Record<KafkaDriverName, () => Promise<KafkaDriverFactory>>> = Object.freeze(
  {
    // oxlint-disable-next-line no-restricted-imports -- loaded only when a configuration names it, which is no import of the root
    kafkajs: async () => (await import("./kafkajs/index.ts")).kafkajsDriver(),
    // oxlint-disable-next-line no-restricted-imports -- loaded only when a configuration names it, which is no import of the root
    confluent: async () => (await import("./confluent/index.ts")).confluentDriver(),
  },
);

/** A driver and what it makes of the options. */
export interface ChosenDriver {
  readonly driver: KafkaDriver;
  readonly describe: () => Readonly<Record<string, unknown>>;
}

/**
 * The driver of the options: created at once, or, when a configuration file gives its name, at the first `connect`.
 *
 * @throws BusConfigError `BUS_UNSUPPORTED`, `BUS_CONFIG` from the driver's check.
 */
export function chooseDriver(options: ResolvedKafkaOptions, host: TransportHost): ChosenDriver {
  const choice = options.driver;
  if (typeof choice === "string") {
    const driver = new NamedDriver(choice, options, host);
    return { driver, describe: () => driver.describe() };
  }
  choice.check(options);
  return { driver: choice.create(options, host), describe: () => choice.describe(options) };
}

class NamedDriver implements KafkaDriver {
  readonly #name: KafkaDriverName;
  readonly #options: ResolvedKafkaOptions;
  readonly #host: TransportHost;
  #factory: KafkaDriverFactory | undefined;
  #driver: KafkaDriver | undefined;

  constructor(name: KafkaDriverName, options: ResolvedKafkaOptions, host: TransportHost) {
    this.#name = name;
    this.#options = options;
    this.#host = host;
  }

  get producer(): KafkaDriver["producer"] {
    return this.#loaded().producer;
  }

  get admin(): KafkaDriver["admin"] {
    return this.#loaded().admin;
  }

  /** @throws BusConfigError `BUS_UNSUPPORTED` from the driver's check, `BUS_CONFIG` when its client is not installed. */
  async connect(): Promise<void> {
    this.#driver ??= await this.#load();
    await this.#driver.connect();
  }

  createConsumer(group: string, sink: ConsumerSink): DriverConsumer {
    return this.#loaded().createConsumer(group, sink);
  }

  async close(): Promise<void> {
    await this.#driver?.close();
  }

  describe(): Readonly<Record<string, unknown>> {
    return this.#factory?.describe(this.#options) ?? { driver: this.#name };
  }

  #loaded(): KafkaDriver {
    if (this.#driver !== undefined) return this.#driver;
    throw new BusConfigError(
      "BUS_CONFIG",
      `the kafka transport must be connected before its driver ${this.#name} can be used`,
    );
  }

  async #load(): Promise<KafkaDriver> {
    try {
      this.#factory = await LOADERS[this.#name]();
    } catch (error) {
      throw notInstalled(this.#name, error);
    }
    this.#factory.check(this.#options);
    return this.#factory.create(this.#options, this.#host);
  }
}

function notInstalled(name: KafkaDriverName, cause: unknown): unknown {
  const isMissing =
    cause instanceof Error && "code" in cause && cause.code === "ERR_MODULE_NOT_FOUND";
  if (!isMissing) return cause;
  const message = `driver ${name} cannot be loaded: ${cause.message}; install its client`;
  return new BusConfigError("BUS_CONFIG", message, {
    details: { path: "driver", value: name },
    cause,
  });
}
