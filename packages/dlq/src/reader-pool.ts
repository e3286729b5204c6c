import type { PluginHost } from "@bus/core";
import { TopicReader } from "./topic-reader.ts";
import type { TopicReading } from "./topic-reader.ts";

/** What one reader differs in from the others. */
export type PooledReading = Omit<TopicReading, "transport" | "clock">;

/** The readers of one bus: each hears when the transport ends its subscription for good. */
export class ReaderPool {
  readonly #host: Pick<PluginHost, "transport" | "clock" | "observe">;
  readonly #open = new Map<string, TopicReader>();

  constructor(host: Pick<PluginHost, "transport" | "clock" | "observe">) {
    this.#host = host;
    host.observe({
      transport: (event) => {
        if (event.kind === "subscriptionEnded") this.#open.get(event.group)?.fail(event.error);
      },
    });
  }

  /** Begin to read. @throws BusConfigError `BUS_UNSUPPORTED`, BusError of the transport */
  async open(reading: PooledReading): Promise<TopicReader> {
    const { transport, clock } = this.#host;
    const reader = new TopicReader({ ...reading, transport, clock });
    this.#open.set(reader.group, reader);
    try {
      await reader.open();
      return reader;
    } catch (error) {
      await this.close(reader);
      throw error;
    }
  }

  async close(reader: TopicReader): Promise<void> {
    this.#open.delete(reader.group);
    await reader.close();
  }
}
