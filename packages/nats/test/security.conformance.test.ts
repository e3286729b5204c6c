import { describe, expect, test } from "vitest";
import type { BusError, Transport } from "@bus/core";
import { testHost } from "@bus/testkit";
import { startNats } from "@bus/tools-brokers";
import type { NatsConfig } from "@bus/tools-brokers";
import { nkeys } from "nats";
import { nats } from "../src/index.ts";
import type { AuthOptions, NatsOptions } from "../src/index.ts";
import { createCertificates } from "./certificates.ts";
import { operatorMode } from "./credentials.ts";

const user = nkeys.createUser();
const seed = Buffer.from(user.getSeed()).toString();
const operator = operatorMode();
const otherSeed = Buffer.from(nkeys.createUser().getSeed()).toString();

type Way = readonly [
  name: string,
  config: NatsConfig,
  right: AuthOptions,
  wrong: AuthOptions,
  path: string,
];

const WAYS: readonly Way[] = [
  [
    "user and password",
    { authorization: { user: "u", password: "p" } },
    { user: "u", pass: "p" },
    { user: "u", pass: "x" },
    "auth.user, auth.pass",
  ],
  ["token", { authorization: { token: "t" } }, { token: "t" }, { token: "x" }, "auth.token"],
  [
    "nkey",
    { authorization: { users: [{ nkey: user.getPublicKey() }] } },
    { nkey: seed },
    { nkey: otherSeed },
    "auth.nkey",
  ],
  [
    "credentials file",
    operator.config,
    { creds: operator.creds },
    { creds: operatorMode().creds },
    "auth.creds",
  ],
];

function transportTo(url: string, options: Omit<NatsOptions, "servers">): Transport {
  return nats({ ...options, servers: [url], stream: { ensure: "create" } }).create(testHost());
}

async function roundTrip(transport: Transport): Promise<string> {
  await transport.connect();
  await transport.publish([{ topic: "t", key: null, value: Buffer.from("secret"), headers: [] }]);
  const received = Promise.withResolvers<string>();
  const subscription = await transport.subscribe(
    { group: "g", topics: [{ topic: "t" }] },
    (delivery) => {
      received.resolve(Buffer.from(delivery.value ?? []).toString());
      delivery.settle({ kind: "ack" });
    },
  );
  const value = await received.promise;
  await subscription.close({ drainTimeoutMs: 1_000 });
  await transport.close({ drainTimeoutMs: 1_000 });
  return value;
}

async function refusalOf(transport: Transport): Promise<BusError & { readonly afterMs: number }> {
  const startedMs = performance.now();
  const error = await transport.connect().then(
    () => new Error("it connected"),
    (reason: BusError) => reason,
  );
  await transport.close({ drainTimeoutMs: 0 });
  return Object.assign(error as BusError, { afterMs: performance.now() - startedMs });
}

describe.each(WAYS)("with %s", (...way) => {
  const [, config, right, wrong, path] = way;

  test("a message goes out and comes back", async () => {
    await using cluster = await startNats({ config });
    expect(await roundTrip(transportTo(cluster.url, { auth: right }))).toBe("secret");
  });

  test("what is wrong fails within 15 seconds and names the option", async () => {
    await using cluster = await startNats({ config });
    const error = await refusalOf(transportTo(cluster.url, { auth: wrong }));
    expect(error).toMatchObject({ code: "BUS_AUTHENTICATION", details: { path } });
    expect(error.afterMs).toBeLessThan(15_000);
    const none = await refusalOf(transportTo(cluster.url, {}));
    expect(none).toMatchObject({ code: "BUS_AUTHENTICATION", details: { path: "auth" } });
  });
});

test("a seed that is none is told as such", async () => {
  await using cluster = await startNats({
    config: { authorization: { users: [{ nkey: user.getPublicKey() }] } },
  });
  const error = await refusalOf(transportTo(cluster.url, { auth: { nkey: "SUnonsense" } }));
  expect(error).toMatchObject({ code: "BUS_AUTHENTICATION", details: { path: "auth.nkey" } });
});

test("TLS with a client certificate carries messages; a server that is not trusted is refused and tls.ca named", async () => {
  await using certificates = await createCertificates();
  const { ca, client, files } = certificates;
  const tls = { ca_file: files.ca, cert_file: files.cert, key_file: files.key, verify: true };
  await using cluster = await startNats({ config: { tls } });
  expect(await roundTrip(transportTo(cluster.url, { tls: { ca, ...client } }))).toBe("secret");
  const untrusted = await refusalOf(transportTo(cluster.url, { tls: client }));
  expect(untrusted).toMatchObject({ code: "BUS_AUTHENTICATION", details: { path: "tls.ca" } });
  expect(untrusted.afterMs).toBeLessThan(15_000);
});

test("a server that is not there is tried until connectTimeoutMs and then named", async () => {
  const error = await refusalOf(transportTo("nats://127.0.0.1:1", { connectTimeoutMs: 1_500 }));
  expect(error).toMatchObject({
    code: "BUS_CONNECT",
    details: { servers: ["nats://127.0.0.1:1"] },
  });
  expect(error.afterMs).toBeGreaterThan(500);
});

test("a server without JetStream is told as such, naming mode", async () => {
  await using cluster = await startNats({ config: { jetstream: false } });
  const error = await refusalOf(transportTo(cluster.url, { connectTimeoutMs: 1_000 }));
  expect(error).toMatchObject({ code: "BUS_CONNECT", details: { path: "mode" } });
});

test("describe() shows no secret", () => {
  const transports = WAYS.map(([, , auth]) =>
    nats({ servers: ["a:4222"], auth, tls: { key: "hush" } }).create(testHost()),
  );
  const text = transports
    .map((transport) => JSON.stringify(transport.capabilities.description?.describe()))
    .join("\n");
  for (const secret of ["hush", seed, operator.creds, '"p"', '"t"'])
    expect(text).not.toContain(secret);
  expect(text).toContain("a:4222");
});
