import { readFile } from "node:fs/promises";

import type { Certificates } from "./certificates.ts";
import { KAFKA_USERS } from "./kafka-users.ts";
import type { KafkaUser } from "./kafka-users.ts";

/** Listeners that a cluster with security opens beside the plain-text one. */
export const SECURE_LISTENERS = ["SASL_SSL", "SSL", "SASL_PLAINTEXT"] as const;

/** What a client needs for the TLS and SASL listeners. */
export interface KafkaSecurity {
  /** Bootstrap addresses per listener, `host:port`, node 1 first. `SSL` demands the client certificate; the two with SASL demand a user. */
  readonly listeners: Readonly<Record<(typeof SECURE_LISTENERS)[number], string[]>>;
  /** PEM of the authority that signed the brokers' certificate; valid for `localhost` and 127.0.0.1. */
  readonly caPem: string;
  /** PEM of a certificate and key that the `SSL` listener accepts. */
  readonly client: { readonly certificatePem: string; readonly keyPem: string };
  /** The same as files, for command-line tools; they disappear with the cluster. */
  readonly files: {
    readonly ca: string;
    readonly clientCertificate: string;
    readonly clientKey: string;
  };
  /** `scram` for SCRAM-SHA-256 and SCRAM-SHA-512, `plain` for PLAIN. */
  readonly users: { readonly scram: KafkaUser; readonly plain: KafkaUser };
}

/** Broker properties of the TLS and SASL listeners. */
export function securityProperties(certificates: Certificates): Record<string, string> {
  const { username, password } = KAFKA_USERS.plain;
  const plain = `org.apache.kafka.common.security.plain.PlainLoginModule required user_${username}="${password}";`;
  const scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
  const properties: Record<string, string> = {
    "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
    "ssl.keystore.type": "PEM",
    "ssl.keystore.location": certificates.serverKeystoreFile,
    "ssl.truststore.type": "PEM",
    "ssl.truststore.location": certificates.caFile,
    "ssl.client.auth": "none",
    "listener.name.ssl.ssl.client.auth": "required",
  };
  for (const listener of ["sasl_ssl", "sasl_plaintext"]) {
    properties[`listener.name.${listener}.plain.sasl.jaas.config`] = plain;
    properties[`listener.name.${listener}.scram-sha-256.sasl.jaas.config`] = scram;
    properties[`listener.name.${listener}.scram-sha-512.sasl.jaas.config`] = scram;
  }
  return properties;
}

/** Collect what a client needs. */
export async function clientSecurity(
  certificates: Certificates,
  listeners: KafkaSecurity["listeners"],
): Promise<KafkaSecurity> {
  const { caFile, clientCertificateFile, clientKeyFile } = certificates;
  const [caPem, certificatePem, keyPem] = await Promise.all([
    readFile(caFile, "utf8"),
    readFile(clientCertificateFile, "utf8"),
    readFile(clientKeyFile, "utf8"),
  ]);
  return {
    listeners,
    caPem,
    client: { certificatePem, keyPem },
    files: { ca: caFile, clientCertificate: clientCertificateFile, clientKey: clientKeyFile },
    users: KAFKA_USERS,
  };
}
