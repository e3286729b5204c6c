import { BusClosedError, BusConfigError, BusError, BusTransportError } from "@bus/core";
import type { OutgoingMessage, PublishReceipt, TransportHost } from "@bus/core";
import { partitionOf } from "@bus/core/adapter";
import { LinkPublishPort } from "./client/publish-port.ts";
import type { NatsLink } from "./client/nats-link.ts";
import type { ResolvedNatsOptions } from "./nats-options.ts";
import { PublishPipeline } from "./publish/publish-pipeline.ts";
import type { SubjectRoute } from "./publish/subject-lanes.ts";
import { subjectOf } from "./topology/subjects.ts";
import type { TopicDirectory } from "./topology/topic-directory.ts";

/** What a publisher needs. */
export interface NatsPublisherParts {
  readonly link: NatsLink;
  readonly host: TransportHost;
  readonly options: ResolvedNatsOptions;
  readonly directory: TopicDirectory;
}

/** Publishes to the stream: has topics ready before their first message, and finds each message's subject. */
export class NatsPublisher {
  readonly #parts: NatsPublisherParts;
  readonly #pipeline: PublishPipeline;
  readonly #routes = new Map<string, SubjectRoute[]>();
  /** Why a topic cannot be published to now; each call that meets one asks again. */
  readonly #refusals = new Map<string, BusError>();
  readonly #stopListening: () => void;
  /** Calls that wait for topics: later ones do not overtake them. */
  #waiting = 0;
  #preparing: Promise<void> = Promise.resolve();
  #keyless = 0;
  #isClosed = false;

  constructor(parts: NatsPublisherParts) {
    this.#parts = parts;
    const { host, link, options } = parts;
    this.#keyless = Math.floor(host.random() * 65_536);
    this.#pipeline = new PublishPipeline({
      port: new LinkPublishPort(link),
      clock: host.clock,
      random: host.random,
      options: options.publish,
      route: (message) => this.#route(message),
      idPrefix: `${link.createInbox().split(".").at(-1)}-`,
    });
    this.#stopListening = link.listen({
      connected: () => this.#pipeline.reconnected(),
      disconnected: () => this.#pipeline.disconnected(),
      publishRefused: (subject) => this.#pipeline.refuse(subject, notAllowed(subject)),
    });
  }

  publish(messages: readonly OutgoingMessage[]): Promise<readonly PublishReceipt[]> {
    if (this.#isClosed)
      return Promise.reject(
        new BusClosedError("the nats transport is closed, nothing can be published"),
      );
    if (this.#waiting === 0 && this.#knowsAll(messages)) return this.#pipeline.publish(messages);
    return this.#publishPrepared(messages);
  }

  /** Accept no more, and give what was accepted so long to get an outcome. */
  async close(timeoutMs: number): Promise<void> {
    this.#isClosed = true;
    if (this.#waiting > 0) await this.#preparing;
    await this.#pipeline.close(timeoutMs);
    this.#stopListening();
  }

  #knowsAll(messages: readonly OutgoingMessage[]): boolean {
    const { directory } = this.#parts;
    for (const { topic } of messages) if (!directory.knows(topic)) return false;
    return true;
  }

  async #publishPrepared(messages: readonly OutgoingMessage[]): Promise<readonly PublishReceipt[]> {
    this.#waiting += 1;
    this.#preparing = this.#preparing.then(() => this.#prepare(messages));
    await this.#preparing;
    this.#waiting -= 1;
    return await this.#pipeline.publish(messages);
  }

  async #prepare(messages: readonly OutgoingMessage[]): Promise<void> {
    const { directory } = this.#parts;
    const topics = new Set(messages.map(({ topic }) => topic));
    const ensuring = Array.from(topics, async (topic) => {
      this.#refusals.delete(topic);
      try {
        await directory.ensure([topic]);
      } catch (error) {
        this.#refusals.set(topic, BusError.is(error) ? error : unusable(topic, error));
      }
    });
    await Promise.all(ensuring);
  }

  #route(message: OutgoingMessage): SubjectRoute {
    const { topic } = message;
    const { directory } = this.#parts;
    if (!directory.knows(topic)) throw this.#refusals.get(topic) ?? unusable(topic, undefined);
    const partitions = directory.partitionsOf(topic);
    const partition = this.#partition(message, partitions ?? 1);
    const known = this.#routes.get(topic);
    const route = known?.[partition];
    if (route !== undefined) return route;
    const made = { subject: subjectOf(topic, partition, partitions), partition };
    const routes = known ?? [];
    routes[partition] = made;
    this.#routes.set(topic, routes);
    return made;
  }

  #partition({ key, partition, topic }: OutgoingMessage, partitions: number): number {
    if (partition === undefined) {
      if (key !== null) return partitions === 1 ? 0 : partitionOf(key, partitions);
      this.#keyless = (this.#keyless + 1) % 65_536;
      return this.#keyless % partitions;
    }
    if (Number.isInteger(partition) && partition >= 0 && partition < partitions) return partition;
    throw new BusConfigError(
      "BUS_INVALID_MESSAGE",
      `partition must be a whole number from 0 to ${partitions - 1} for topic ${topic}, got ${partition}`,
      { details: { topic, partition } },
    );
  }
}

function notAllowed(subject: string): BusTransportError {
  return new BusTransportError(
    "BUS_AUTHORIZATION",
    `the server does not let this user publish to ${subject}`,
    { details: { subject } },
  );
}

function unusable(topic: string, cause: unknown): BusTransportError {
  const reason = cause instanceof Error ? `: ${cause.message}` : "";
  return new BusTransportError(
    "BUS_PUBLISH_FAILED",
    `topic ${topic} could not be looked up${reason}`,
    {
      cause,
      details: { topic },
    },
  );
}
