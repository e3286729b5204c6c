import type { Logger } from "@bus/core";
import kafkajs from "kafkajs";
import type { logCreator, LogEntry } from "kafkajs";

/**
 * kafkajs' log in the log of the bus.
 *
 * kafkajs calls an error what it is about to retry; what really fails is reported by this package with more context, so
 * its errors and warnings become `debug` lines.
 */
export function kafkajsLogger(logger: Logger): logCreator {
  return () => (entry: LogEntry) => {
    const { message, timestamp: _timestamp, logger: _logger, stack: _stack, ...fields } = entry.log;
    const level = kafkajs.logLevel[entry.level];
    logger.debug(`kafkajs: ${message}`, { ...fields, namespace: entry.namespace, level });
  };
}
