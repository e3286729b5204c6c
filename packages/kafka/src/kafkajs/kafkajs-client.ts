import type { Logger } from "@bus/core";
import kafkajs from "kafkajs";
import type { Kafka } from "kafkajs";
import type { DriverOptions } from "../driver-options.ts";
import { kafkajsLogger } from "./kafkajs-logger.ts";
import { commonProperties } from "./kafkajs-properties.ts";
import { TrackedSockets } from "./tracked-sockets.ts";

/** A kafkajs client for one role: it shares nothing with others, credentials included. */
export interface KafkajsClient {
  readonly kafka: Kafka;
  readonly sockets: TrackedSockets;
}

/** Make a client; no I/O. */
export function kafkajsClient(options: DriverOptions, logger: Logger): KafkajsClient {
  const { socketFactory, ...properties } = commonProperties(options);
  const sockets = new TrackedSockets(socketFactory);
  const kafka = new kafkajs.Kafka({
    logCreator: kafkajsLogger(logger),
    ...properties,
    socketFactory: sockets.factory,
  });
  return { kafka, sockets };
}
