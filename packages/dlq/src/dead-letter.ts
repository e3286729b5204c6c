import { BusError } from "@bus/core";
import type { DeadLetterPolicy, Failure, OutgoingMessage, PluginHost } from "@bus/core";
import { deadLetterHeaders } from "./dead-letter-headers.ts";
import type { HeaderLimits } from "./dead-letter-headers.ts";
import { destinationOf } from "./dead-letter-topics.ts";
import type { DeadLetterTopics } from "./dead-letter-topics.ts";
import type { ResolvedDlqOptions } from "./dlq-options.ts";

/** What is kept of an error when the full dead letter is too large for its destination. */
const SMALLEST: HeaderLimits = Object.freeze({ maxMessageChars: 200, maxStackChars: 0 });

/** What dead letters are stored with. */
export interface DeadLetterParts {
  readonly host: Pick<PluginHost, "publish">;
  readonly options: ResolvedDlqOptions;
  readonly topics: DeadLetterTopics;
}

/**
 * Make the policy of the `deadLetter` stage: store the message, byte for byte, with the headers that tell its story.
 * Resolves when the broker has acknowledged it; a rejection makes core hold the message and call again.
 */
export function createDeadLetterPolicy({
  host,
  options,
  topics,
}: DeadLetterParts): DeadLetterPolicy {
  const publish = async (failure: Failure, errorClass: string, target: Target): Promise<void> => {
    try {
      await host.publish([deadLetter(failure, errorClass, { ...target, limits: options })]);
    } catch (error) {
      if (!BusError.is(error, "BUS_MESSAGE_TOO_LARGE")) throw error;
      await host.publish([deadLetter(failure, errorClass, { ...target, limits: SMALLEST })]);
    }
  };
  return async function store(failure, errorClass) {
    const topic = destinationOf(failure, errorClass, options);
    const { partition: original, topic: source } = failure.delivery;
    const partitions = await topics.partitionsOf(topic, source);
    // The same number where the destination has it; otherwise the transport chooses by key.
    const partition = partitions !== undefined && original < partitions ? original : undefined;
    try {
      await publish(failure, errorClass, { topic, partition });
    } catch (error) {
      topics.forget(topic);
      throw error;
    }
  };
}

interface Target {
  readonly topic: string;
  readonly partition: number | undefined;
}

function deadLetter(
  failure: Failure,
  errorClass: string,
  target: Target & { readonly limits: HeaderLimits },
): OutgoingMessage {
  const { key, value } = failure.delivery;
  const { topic, partition, limits } = target;
  const headers = deadLetterHeaders(failure, errorClass, limits);
  return { topic, key, value, headers, ...(partition === undefined ? {} : { partition }) };
}
