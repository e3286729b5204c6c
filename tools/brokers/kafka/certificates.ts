import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { BrokersError } from "../brokers-error.ts";
import { runProgram } from "../process/run-program.ts";

const DAYS = "30";

/** Certificates of one cluster: an authority, a server certificate for loopback and a client certificate. */
export interface Certificates {
  /** PEM of the authority that signed both. */
  readonly caFile: string;
  /** PKCS8 key, certificate and authority of the brokers, in one PEM. */
  readonly serverKeystoreFile: string;
  /** PEM of the client certificate. */
  readonly clientCertificateFile: string;
  /** PEM (PKCS8) of the client's key. */
  readonly clientKeyFile: string;
}

/**
 * Make a certificate authority and certificates for the brokers and one client with openssl.
 *
 * @param folder - Created; holds all files.
 * @throws BrokersError `UNAVAILABLE` when openssl is missing.
 */
export async function makeCertificates(folder: string): Promise<Certificates> {
  if ((await runProgram(["openssl", "version"])).status !== 0)
    throw new BrokersError(
      "UNAVAILABLE",
      "certificates need openssl; install it (Debian: openssl)",
    );
  await mkdir(folder, { recursive: true });
  const at = (name: string): string => join(folder, name);
  await openssl([
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-days",
    DAYS,
    "-subj",
    "/CN=bus-brokers-ca",
    "-keyout",
    at("ca-key.pem"),
    "-out",
    at("ca.pem"),
  ]);
  await signed(folder, "server", "DNS:localhost,IP:127.0.0.1");
  await signed(folder, "client", "DNS:client");
  const keystore = await Promise.all(
    ["server-key.pem", "server-cert.pem", "ca.pem"].map(
      async (name) => await readFile(at(name), "utf8"),
    ),
  );
  await writeFile(at("server-keystore.pem"), keystore.join(""));
  return {
    caFile: at("ca.pem"),
    serverKeystoreFile: at("server-keystore.pem"),
    clientCertificateFile: at("client-cert.pem"),
    clientKeyFile: at("client-key.pem"),
  };
}

async function signed(folder: string, name: string, subjectAltName: string): Promise<void> {
  const at = (suffix: string): string => join(folder, `${name}-${suffix}`);
  const ca = join(folder, "ca.pem");
  await openssl([
    "req",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-subj",
    `/CN=${name}`,
    "-keyout",
    at("raw-key.pem"),
    "-out",
    at("request.pem"),
  ]);
  await openssl(["pkcs8", "-topk8", "-nocrypt", "-in", at("raw-key.pem"), "-out", at("key.pem")]);
  await writeFile(at("extensions.cnf"), `subjectAltName=${subjectAltName}\n`);
  const authority = ["-CA", ca, "-CAkey", join(folder, "ca-key.pem"), "-CAcreateserial"];
  await openssl([
    "x509",
    "-req",
    "-days",
    DAYS,
    "-in",
    at("request.pem"),
    ...authority,
    "-extfile",
    at("extensions.cnf"),
    "-out",
    at("cert.pem"),
  ]);
}

async function openssl(args: readonly string[]): Promise<void> {
  const result = await runProgram(["openssl", ...args], { timeoutMs: 60_000 });
  if (result.status !== 0)
    throw new BrokersError(
      "START_FAILED",
      `openssl ${args[0]} ended with status ${result.status}: ${result.stderr.slice(-500)}`,
    );
}
