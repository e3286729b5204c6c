import { expect, test } from "vitest";
import type { LinkMessage } from "../client/nats-link.ts";
import { isNoResponders, statusNumber, statusOf, statusTextOf } from "./status-line.ts";

function message(header: string | undefined, data = ""): LinkMessage {
  const headerBytes = header === undefined ? undefined : Buffer.from(header);
  return { subject: "s", reply: "", data: Buffer.from(data), headerBytes };
}

test.each([
  ["NATS/1.0 100 Idle Heartbeat\r\n\r\n", 100, "Idle Heartbeat"],
  ["NATS/1.0 409 Consumer Deleted\r\n\r\n", 409, "Consumer Deleted"],
  ["NATS/1.0 503\r\n\r\n", 503, ""],
  ["NATS/1.0\r\nA: 1\r\n\r\n", 0, ""],
])("the status of %j", (header, status, text) => {
  const told = message(header);
  expect(statusOf(told)).toBe(status);
  expect(statusOf(told) === 0 ? "" : statusTextOf(told)).toBe(text);
  expect(isNoResponders(told)).toBe(status === 503);
});

test("a message with a payload, or without headers, has no status", () => {
  expect(statusOf(message("NATS/1.0 408 Request Timeout\r\n\r\n", "x"))).toBe(0);
  expect(statusOf(message(undefined))).toBe(0);
});

test("numbers beside a status are read by name, and are 0 when they are not there", () => {
  const told = message("NATS/1.0 408 Request Timeout\r\nNats-Pending-Messages: 12\r\n\r\n");
  expect(statusNumber(told, "Nats-Pending-Messages")).toBe(12);
  expect(statusNumber(told, "Nats-Pending-Bytes")).toBe(0);
});
