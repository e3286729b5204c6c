import { expect, test } from "vitest";

import { saysPortTaken, tellingLines } from "./telling-lines.ts";

const KAFKA = `20:58:44.288 [event-handler] INFO org.apache.kafka.QuorumController - event unable to start because of TimeoutException.
20:58:44.288 [event-handler] ERROR org.apache.kafka.ReplicationControlManager - event queue overloaded
20:58:45.395 [main] ERROR kafka.network.DataPlaneAcceptor - Unable to start acceptor for PLAINTEXT
org.apache.kafka.common.KafkaException: Socket server failed to bind to 127.0.0.1:15999: Address already in use.
\tat kafka.network.DataPlaneAcceptor.openServerSocket(SocketServer.scala:734)
Caused by: java.net.BindException: Address already in use
20:58:45.505 [main] ERROR kafka.server.BrokerServer - Fatal error during broker startup. Prepare to shutdown
`;

test("a port that is taken comes first, however much was written before it", () => {
  expect(saysPortTaken(KAFKA)).toBe(true);
  expect(saysPortTaken(tellingLines(KAFKA))).toBe(true);
  expect(tellingLines(KAFKA)).toBe(
    "org.apache.kafka.common.KafkaException: Socket server failed to bind to 127.0.0.1:15999: Address already in use. | " +
      "Caused by: java.net.BindException: Address already in use | " +
      "20:58:44.288 [event-handler] ERROR org.apache.kafka.ReplicationControlManager - event queue overloaded",
  );
});

test("a root cause comes before other complaints, and what is only information is left out", () => {
  const log =
    "INFO retries after an exception: none\n[FTL] cannot go on\nCaused by: ConfigException: soon is no number\n";
  expect(tellingLines(log)).toBe(
    "Caused by: ConfigException: soon is no number | [FTL] cannot go on",
  );
});

test("a log without complaints is quoted from its end, and an empty one is called empty", () => {
  expect(tellingLines("one\ntwo\n\nthree\nfour\n")).toBe("two | three | four");
  expect(tellingLines("\n")).toBe("it wrote nothing");
});
