import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "@bus/tools-brokers";

/** Certificates of one authority for a server on the loopback address and for a client. */
export interface Certificates extends AsyncDisposable {
  /** Files for the server's configuration. */
  readonly files: { readonly ca: string; readonly cert: string; readonly key: string };
  readonly ca: string;
  readonly client: { readonly cert: string; readonly key: string };
}

/** Make certificates with openssl, valid for a day. */
export async function createCertificates(): Promise<Certificates> {
  const folder = await mkdtemp(join(tmpdir(), "bus-nats-tls-"));
  const at = (name: string): string => join(folder, name);
  await openssl([
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-days",
    "1",
    "-subj",
    "/CN=test authority",
    "-keyout",
    at("ca.key"),
    "-out",
    at("ca.pem"),
  ]);
  await writeFile(at("ext"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
  for (const name of ["server", "client"]) {
    await openssl([
      "req",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-subj",
      `/CN=${name}`,
      "-keyout",
      at(`${name}.key`),
      "-out",
      at(`${name}.csr`),
    ]);
    await openssl([
      "x509",
      "-req",
      "-days",
      "1",
      "-in",
      at(`${name}.csr`),
      "-CA",
      at("ca.pem"),
      "-CAkey",
      at("ca.key"),
      "-CAcreateserial",
      "-extfile",
      at("ext"),
      "-out",
      at(`${name}.pem`),
    ]);
  }
  const text = async (name: string): Promise<string> => await readFile(at(name), "utf8");
  return {
    files: { ca: at("ca.pem"), cert: at("server.pem"), key: at("server.key") },
    ca: await text("ca.pem"),
    client: { cert: await text("client.pem"), key: await text("client.key") },
    [Symbol.asyncDispose]: async () => await rm(folder, { recursive: true }),
  };
}

async function openssl(args: readonly string[]): Promise<void> {
  const { status, stderr } = await runProgram(["openssl", ...args]);
  if (status !== 0) throw new Error(`openssl ${args[0]}: ${stderr}`);
}
