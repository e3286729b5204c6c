/** One user of the SASL listeners. */
export interface KafkaUser {
  /** SASL user name. */
  readonly username: string;
  /** SASL password. */
  readonly password: string;
}

/** Users that every cluster with security knows: `scram` for SCRAM-SHA-256 and SCRAM-SHA-512, `plain` for PLAIN. */
export const KAFKA_USERS: { readonly scram: KafkaUser; readonly plain: KafkaUser } = Object.freeze({
  scram: Object.freeze({ username: "alice", password: "alice-secret" }),
  plain: Object.freeze({ username: "bob", password: "bob-secret" }),
});
