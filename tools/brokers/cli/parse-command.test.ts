import { expect, test } from "vitest";

import { parseCommand } from "./parse-command.ts";

function parse(line: string): ReturnType<typeof parseCommand> {
  return parseCommand(line.split(" ").filter((word) => word !== ""));
}

test("start kafka is one node of the default version in the foreground", () => {
  expect(parse("start kafka")).toEqual({
    name: "start",
    kind: "kafka",
    nodes: 1,
    stay: "foreground",
    version: undefined,
    listeners: [],
  });
});

test("every option of start is read, in either spelling", () => {
  expect(parse("start kafka --nodes 3 --version=3.9.1 --tls --sasl --detach")).toEqual({
    name: "start",
    kind: "kafka",
    nodes: 3,
    stay: "background",
    version: "3.9.1",
    listeners: ["SASL_SSL"],
  });
  expect(parse("start nats --version 2.9.10")).toMatchObject({ kind: "nats", version: "2.9.10" });
});

test("tls alone is the listener with client certificates, sasl alone the one without tls", () => {
  expect(parse("start kafka --tls")).toMatchObject({ listeners: ["SSL"] });
  expect(parse("start kafka --sasl")).toMatchObject({ listeners: ["SASL_PLAINTEXT"] });
});

test("stop and status are read, and no arguments or --help anywhere ask for help", () => {
  expect(parse("stop")).toEqual({ name: "stop", kind: undefined });
  expect(parse("stop nats")).toEqual({ name: "stop", kind: "nats" });
  expect(parse("status")).toEqual({ name: "status" });
  for (const line of ["", "--help", "-h", "help", "start kafka --help"])
    expect(parse(line)).toEqual({ name: "help" });
});

test.each([
  ["restart", "command must be start, stop or status, got restart"],
  ["--tls", "command must be start, stop or status, got none"],
  ["start", "broker must be kafka or nats, got none"],
  ["start redis", "broker must be kafka or nats, got redis"],
  ["stop redis", "broker must be kafka or nats, got redis"],
  ["start kafka nats", "unexpected argument nats"],
  ["status kafka", "unexpected argument kafka"],
  ["start kafka --nodes 2", "--nodes must be 1 or 3, got 2"],
  ["start kafka --nodes", "--nodes needs a value"],
  ["start kafka --version 2.15.2", "--version must be 4.1.1 or 3.9.1, got 2.15.2"],
  ["start nats --sasl", "--sasl does not go with start nats"],
  ["stop --nodes 3", "--nodes does not go with stop"],
  ["start kafka --tls=yes", "--tls takes no value"],
  ["start kafka --port 9092", "unknown option --port"],
])("%j is refused with one line", (line, message) => {
  expect(parse(line)).toEqual({ name: "mistake", message });
});
