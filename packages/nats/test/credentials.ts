import { nkeys } from "nats";
import type { NatsConfig } from "@bus/tools-brokers";

type KeyPair = ReturnType<typeof nkeys.createUser>;

/** A server of the decentralised kind, and the credentials file of a user of it. */
export interface OperatorMode {
  readonly config: NatsConfig;
  readonly creds: string;
}

/**
 * Operator, account and user as `nsc` would make them.
 *
 * Source: https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/jwt
 */
export function operatorMode(): OperatorMode {
  const operator = nkeys.createOperator();
  const [system, account] = [nkeys.createAccount(), nkeys.createAccount()];
  const user = nkeys.createUser();
  const unlimited = { subs: -1, data: -1, payload: -1 };
  const accountLimits = {
    ...unlimited,
    imports: -1,
    exports: -1,
    wildcards: true,
    conn: -1,
    leaf: -1,
  };
  const storage = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };
  const systemAccount = system.getPublicKey();
  const operatorJwt = jwtOf(operator, operator, {
    type: "operator",
    version: 2,
    system_account: systemAccount,
  });
  const systemJwt = jwtOf(operator, system, { type: "account", version: 2, limits: accountLimits });
  const accountJwt = jwtOf(operator, account, {
    type: "account",
    version: 2,
    limits: { ...accountLimits, ...storage },
  });
  const userJwt = jwtOf(account, user, { type: "user", version: 2, ...unlimited });
  return {
    config: {
      operator: operatorJwt,
      system_account: systemAccount,
      resolver: "MEMORY",
      resolver_preload: { [systemAccount]: systemJwt, [account.getPublicKey()]: accountJwt },
    },
    creds: [
      "-----BEGIN NATS USER JWT-----",
      userJwt,
      "------END NATS USER JWT------",
      "",
      "-----BEGIN USER NKEY SEED-----",
      Buffer.from(user.getSeed()).toString(),
      "------END USER NKEY SEED------",
      "",
    ].join("\n"),
  };
}

function jwtOf(issuer: KeyPair, subject: KeyPair, nats: object): string {
  const sub = subject.getPublicKey();
  const claims = { jti: sub, iat: 1_700_000_000, iss: issuer.getPublicKey(), name: sub, sub, nats };
  const body = [{ typ: "JWT", alg: "ed25519-nkey" }, claims].map(encoded).join(".");
  return `${body}.${Buffer.from(issuer.sign(Buffer.from(body))).toString("base64url")}`;
}

function encoded(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}
