import type { PublishReceipt } from "../contracts/message.ts";
import type { PublishFunction } from "../contracts/plugin.ts";
import type { Topic } from "../contracts/topic.ts";
import { BusConfigError } from "../errors/bus-error.ts";
import { encodeMessage } from "../publish/encode-message.ts";
import type { PublishOptions } from "../publish/encode-message.ts";
import { onlyReceipt, publishUntilAborted } from "../publish/publish-path.ts";
import { bytesTopic } from "../topics/define-topic.ts";

/** Publishes values: encode, then hand over; on a bus and inside a transaction alike. */
export class BusPublishing {
  readonly #publish: PublishFunction;

  constructor(publish: PublishFunction) {
    this.#publish = publish;
  }

  async publish(
    topicOrName: Topic<unknown, never> | string,
    value: unknown,
    options: PublishOptions = {},
  ): Promise<PublishReceipt> {
    const encoded = encodeMessage(publishTopicOf(topicOrName), value, options);
    // Awaiting what is there already would cost every message a turn of the queue.
    const message = encoded instanceof Promise ? await encoded : encoded;
    const { signal } = options;
    if (signal === undefined) return onlyReceipt(await this.#publish([message]));
    return onlyReceipt(await publishUntilAborted(() => this.#publish([message]), signal));
  }

  async publishMany(
    topic: Topic<unknown, never>,
    values: readonly unknown[],
    options: PublishOptions = {},
  ): Promise<readonly PublishReceipt[]> {
    const target = publishTopicOf(topic);
    // Everything is encoded before anything is sent: a value that cannot be encoded must not leave half a call behind.
    const messages = await Promise.all(
      values.map(async (value) => encodeMessage(target, value, options)),
    );
    if (messages.length === 0) return [];
    const { signal } = options;
    if (signal === undefined) return this.#publish(messages);
    return publishUntilAborted(() => this.#publish(messages), signal);
  }
}

function publishTopicOf(topic: Topic<unknown, never> | string): Topic<unknown, unknown> {
  const resolved = typeof topic === "string" ? bytesTopic(topic) : topic;
  if (resolved?.kind !== "topic") {
    throw new BusConfigError(
      "BUS_CONFIG",
      `topic must be a name or come from defineTopic, got ${typeof topic}`,
      {
        details: { path: "topic", value: topic },
      },
    );
  }
  // The public signature ties the value to the topic; from here on values are checked by codec and schema.
  return resolved as Topic<unknown, unknown>;
}
