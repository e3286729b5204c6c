import { expect, test } from "vitest";

import { BrokersError } from "../brokers-error.ts";
import { hostAndPort, parseMetadataResponse } from "./kafka-probe.ts";

function text(value: string | null): Buffer {
  const length = Buffer.alloc(2);
  length.writeInt16BE(value === null ? -1 : Buffer.byteLength(value));
  return Buffer.concat([length, Buffer.from(value ?? "")]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

test("brokers and controller are read out of a response with and without racks", () => {
  const one = [int32(1), text("127.0.0.1"), int32(9092), text(null)];
  const three = [int32(3), text("a.example"), int32(9094), text("rack-b")];
  const response = Buffer.concat([
    int32(7),
    int32(0),
    int32(2),
    ...one,
    ...three,
    text("cluster"),
    int32(3),
    int32(0),
  ]);
  expect(parseMetadataResponse(response)).toEqual({ brokerIds: [1, 3], controllerId: 3 });
});

test("a cluster without an id and without a controller is read as such", () => {
  const response = Buffer.concat([int32(7), int32(0), int32(0), text(null), int32(-1), int32(0)]);
  expect(parseMetadataResponse(response)).toEqual({ brokerIds: [], controllerId: -1 });
});

test.each([
  ["127.0.0.1:9092", { host: "127.0.0.1", port: 9092 }],
  ["[::1]:9092", { host: "::1", port: 9092 }],
  ["broker.example:65535", { host: "broker.example", port: 65_535 }],
])("%s is an address", (address, expected) => {
  expect(hostAndPort(address)).toEqual(expected);
});

test.each(["", "host", "host:", ":9092", "host:0", "host:65536", "host:9092/x"])(
  "%j is refused as an address",
  (address) => {
    expect(() => hostAndPort(address)).toThrow(BrokersError);
  },
);
