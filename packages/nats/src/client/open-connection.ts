import { BusTransportError } from "@bus/core";
import type { BusError } from "@bus/core";
import { backOffMs } from "@bus/core/adapter";
import { connect, credsAuthenticator, nkeyAuthenticator } from "nats";
import type { ConnectionOptions, NatsConnection } from "nats";

import type { AuthOptions, ResolvedNatsOptions } from "../nats-options.ts";

/** How long one attempt to connect may take. */
const DIAL_TIMEOUT_MS = 10_000;

/** How often an idle connection is asked whether it is alive; two missing answers end it. */
const PING_INTERVAL_MS = 10_000;
const PINGS_MISSED = 2;

const MASK = "***";

/** What the client is told, by its own names; secrets included. */
export function connectionOptions(
  options: ResolvedNatsOptions,
  random: () => number,
): ConnectionOptions {
  const { servers, name, auth, tls, reconnect } = options;
  let attempt = 0;
  return {
    servers: [...servers],
    name,
    ...(auth === undefined ? {} : credentials(auth)),
    ...(tls === undefined ? {} : { tls: { ...tls } }),
    timeout: DIAL_TIMEOUT_MS,
    pingInterval: PING_INTERVAL_MS,
    maxPingOut: PINGS_MISSED,
    maxReconnectAttempts: -1,
    reconnectDelayHandler: () => {
      attempt += 1;
      const { waitMs: baseMs, maxWaitMs: maxMs, jitter } = reconnect;
      return backOffMs(((attempt - 1) % 12) + 1, { baseMs, maxMs, jitter }, random);
    },
    // Another try may find a server that knows the credentials; the bus says meanwhile what is wrong.
    ignoreAuthErrorAbort: true,
    noAsyncTraces: true,
  };
}

/** What the client is told, secrets masked, for `describe()`. */
export function describeConnection(
  options: ResolvedNatsOptions,
): Readonly<Record<string, unknown>> {
  if (options.connection !== undefined) return { connection: "given" };
  const { authenticator, reconnectDelayHandler, ...plain } = connectionOptions(options, () => 0);
  return {
    ...plain,
    ...("user" in plain ? { user: plain.user, pass: MASK } : {}),
    ...("token" in plain ? { token: MASK } : {}),
    ...(authenticator === undefined ? {} : { authenticator: MASK }),
    ...(plain.tls === undefined || plain.tls === null
      ? {}
      : { tls: { ...plain.tls, ...("key" in plain.tls ? { key: MASK } : {}) } }),
    reconnectDelayHandler: reconnectDelayHandler === undefined ? "none" : "back-off with jitter",
  };
}

/** Open a connection. @throws BusTransportError `BUS_CONNECT`, `BUS_AUTHENTICATION` naming the option. */
export async function openConnection(
  options: ResolvedNatsOptions,
  random: () => number,
): Promise<NatsConnection> {
  try {
    return await connect(connectionOptions(options, random));
  } catch (error) {
    throw connectError(error, options);
  }
}

function credentials(auth: AuthOptions): ConnectionOptions {
  if ("user" in auth) return { user: auth.user, pass: auth.pass };
  if ("token" in auth) return { token: auth.token };
  const encoder = new TextEncoder();
  if ("creds" in auth) return { authenticator: credsAuthenticator(encoder.encode(auth.creds)) };
  return { authenticator: nkeyAuthenticator(encoder.encode(auth.nkey)) };
}

const REFUSED = new Set([
  "AUTHORIZATION_VIOLATION",
  "AUTHENTICATION_EXPIRED",
  "AUTHENTICATION_TIMEOUT",
  "BAD_AUTHENTICATION",
  "BAD_CREDS",
  "ACCOUNT_EXPIRED",
]);

function connectError(error: unknown, { auth, servers, tls }: ResolvedNatsOptions): BusError {
  const code = codeOf(error);
  const cause = { cause: error };
  if (REFUSED.has(code) || isBadSeed(error)) {
    const path = auth === undefined ? "auth" : `auth.${Object.keys(auth).join(", auth.")}`;
    const what =
      auth === undefined ? "the server wants credentials" : "the server refused the credentials";
    return new BusTransportError("BUS_AUTHENTICATION", `${what}: check ${path}`, {
      ...cause,
      details: { path, code },
    });
  }
  if (isCertificateError(error)) {
    const path = tls?.ca === undefined ? "tls.ca" : "tls";
    const message = `no trusted tls connection to ${servers.join(", ")}: ${textOf(error)}; check ${path}`;
    return new BusTransportError("BUS_AUTHENTICATION", message, { ...cause, details: { path } });
  }
  const message = `no nats server answers at ${servers.join(", ")}: ${textOf(error)}`;
  return new BusTransportError("BUS_CONNECT", message, { ...cause, details: { servers } });
}

function codeOf(error: unknown): string {
  return typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
}

/** The client finds a malformed seed or credentials file only when it signs. */
function isBadSeed(error: unknown): boolean {
  return (
    error instanceof Error &&
    (error.name === "NKeysError" || /credentials|seed/u.test(error.message))
  );
}

function isCertificateError(error: unknown): boolean {
  const causes = [
    error,
    typeof error === "object" && error !== null && "chainedError" in error
      ? error.chainedError
      : undefined,
  ];
  return causes.some((one) =>
    /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS|ERR_SSL/u.test(`${codeOf(one)} ${textOf(one)}`),
  );
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The connection that a user gave; the options have checked that it is one. */
export function givenConnection(connection: object): NatsConnection {
  return connection as NatsConnection;
}
export type { NatsConnection } from "nats";
