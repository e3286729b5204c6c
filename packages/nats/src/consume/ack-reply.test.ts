import { expect, test } from "vitest";
import { parseAckReply } from "./ack-reply.ts";

const read = {
  deliveries: 2,
  streamSequence: 1_234,
  consumerSequence: 77,
  timestampMs: 1_795_390_745_084,
};

test.each([
  ["$JS.ACK.bus.bus-g-t.2.1234.77.1795390745084802969.11", read],
  ["$JS.ACK._.acc.bus.bus-g-t.2.1234.77.1795390745084802969.11", read],
  ["$JS.ACK.hub.acc.bus.bus-g-t.2.1234.77.1795390745084802969.11.random", read],
  ["_INBOX.abc.1", undefined],
  ["$JS.ACK.bus.bus-g-t", undefined],
  ["", undefined],
])("%s is read", (reply, wanted) => {
  expect(parseAckReply(reply)).toEqual(wanted);
});
