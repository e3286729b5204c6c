import { once } from "node:events";
import { mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";

import { cacheFolder } from "../download-cache.ts";
import type { BrokerKind } from "./parse-command.ts";

const STOP = "stop\n";
const FOLDER_PREFIX = "bus-session-";

/** What `status` and `stop` know about brokers that a command line has started. */
export interface SessionRecord {
  /** What runs. */
  readonly kind: BrokerKind;
  /** The process that holds the brokers. */
  readonly pid: number;
  /** Socket on which it takes orders; nobody listening there means that it is gone. */
  readonly socket: string;
  /** One line: what and which version. */
  readonly title: string;
  /** Plain-text client address of every node, `host:port`, node 1 first. */
  readonly addresses: readonly string[];
}

/** This process's entry in the list of running brokers. */
export interface Session extends AsyncDisposable {
  /** Resolves with how to tell the one who asked when somebody wants the brokers stopped. */
  readonly stopRequested: Promise<void>;
}

/**
 * Enter running brokers into the list that `status` and `stop` read.
 *
 * Orders come over a socket and not by signal: a process id may belong to somebody else by the time it is used.
 * Whoever asked for the stop is answered, by the end of its connection, when the session is disposed of.
 */
export async function openSession(what: Omit<SessionRecord, "pid" | "socket">): Promise<Session> {
  const folder = await mkdtemp(join(tmpdir(), FOLDER_PREFIX));
  const record: SessionRecord = { ...what, pid: process.pid, socket: join(folder, "orders") };
  const waiting = new Set<() => void>();
  let requestStop = (): void => undefined;
  const stopRequested = new Promise<void>((resolve) => (requestStop = resolve));
  const server = createServer((asker) => {
    asker.on("error", () => asker.destroy());
    asker.once("data", () => {
      waiting.add(() => asker.end());
      requestStop();
    });
  });
  server.listen(record.socket);
  await once(server, "listening");
  const file = await writeRecord(record);
  return {
    stopRequested,
    [Symbol.asyncDispose]: async () => {
      await rm(file, { force: true });
      server.close();
      for (const answer of waiting) answer();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The brokers that run now; entries of processes that are gone are removed. */
export async function runningSessions(): Promise<SessionRecord[]> {
  const names = await readdir(stateFolder()).catch(() => [] as string[]);
  const running: SessionRecord[] = [];
  for (const name of names.filter((each) => each.endsWith(".json"))) {
    const file = join(stateFolder(), name);
    const record = JSON.parse(await readFile(file, "utf8")) as SessionRecord;
    if (await isListening(record.socket)) running.push(record);
    else await forget(file, record);
  }
  return running;
}

async function forget(file: string, record: SessionRecord): Promise<void> {
  await rm(file, { force: true });
  const folder = dirname(record.socket);
  if (basename(folder).startsWith(FOLDER_PREFIX))
    await rm(folder, { recursive: true, force: true });
}

/** Ask a process to end its brokers; resolves when they have ended. */
export async function stopSession(record: SessionRecord): Promise<void> {
  const socket = connect(record.socket);
  socket.on("error", () => socket.destroy()); // it ends on its own just now
  socket.write(STOP);
  socket.resume();
  await once(socket, "close");
}

async function writeRecord(record: SessionRecord): Promise<string> {
  await mkdir(stateFolder(), { recursive: true });
  const file = join(stateFolder(), `${record.kind}-${record.pid}.json`);
  await writeFile(`${file}.part`, JSON.stringify(record));
  await rename(`${file}.part`, file);
  return file;
}

async function isListening(path: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(path);
    socket.once("error", () => resolve(false));
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });
}

function stateFolder(): string {
  return join(cacheFolder(), "running");
}
