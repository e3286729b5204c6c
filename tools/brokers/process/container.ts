import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { BrokersError } from "../brokers-error.ts";
import type { Lookup } from "../provider.ts";
import { startGuarded } from "./guarded-process.ts";
import type { GuardedProcess } from "./guarded-process.ts";
import { runProgram } from "./run-program.ts";
import type { ProgramResult } from "./run-program.ts";

const ENGINES = ["docker", "podman"] as const;
const ANSWER_TIMEOUT_MS = 3_000;
const PULL_TIMEOUT_MS = 300_000;
const SIGNAL_TIMEOUT_MS = 10_000;
const SIGNAL_RETRY_MS = 100;

/** An image that is present, and the engine that has it. */
export interface ContainerImage {
  /** Program name of the engine. */
  readonly engine: string;
  /** Image with its tag. */
  readonly image: string;
}

/** One program in a container. The folder is mounted at the same path, and the network is the host's: no path or port has to be translated. */
export interface ContainerProgram extends ContainerImage {
  /** Program and arguments inside the image. */
  readonly command: readonly [string, ...string[]];
  /** Folder that the program reads and writes. */
  readonly folder: string;
}

/**
 * Find a container engine that answers and has an image, or can fetch it.
 *
 * Linux only: elsewhere the engine runs in a virtual machine, whose network and files are not the host's.
 */
export async function findImage(image: string): Promise<Lookup<ContainerImage>> {
  if (process.platform !== "linux") return { missing: "a container engine (on Linux)" };
  for (const engine of ENGINES) {
    const { status } = await runProgram([engine, "info"], { timeoutMs: ANSWER_TIMEOUT_MS });
    if (status !== 0) continue;
    const present = await runProgram([engine, "image", "inspect", image]);
    if (present.status === 0) return { found: { engine, image } };
    const pull = await runProgram([engine, "pull", image], { timeoutMs: PULL_TIMEOUT_MS });
    if (pull.status === 0) return { found: { engine, image } };
    return {
      missing: `the image ${image}, which ${engine} could not fetch (${pull.stderr.trim().slice(-200)})`,
    };
  }
  return { missing: `a container engine that answers (${ENGINES.join(" or ")})` };
}

/** Run a program of an image to its end. */
export async function runInContainer(
  program: ContainerProgram,
  timeoutMs: number,
): Promise<ProgramResult> {
  return await runProgram([program.engine, ...runArguments(program, `bus-${randomUUID()}`)], {
    timeoutMs,
  });
}

/** Start a program of an image that ends when this process ends, in whatever way. */
export async function startInContainer(
  program: ContainerProgram,
  files: { logFile: string; removeOnOrphan: string },
): Promise<GuardedProcess> {
  const { engine } = program;
  const name = `bus-${randomUUID()}`;
  const client = await startGuarded({
    command: [engine, ...runArguments(program, name)],
    ...files,
    container: { engine, name },
  });
  let ended = false;
  void client.exited.then(() => (ended = true));
  const signal = async (which: NodeJS.Signals): Promise<void> => {
    const deadline = performance.now() + SIGNAL_TIMEOUT_MS;
    while (!ended) {
      const { status, stderr } = await runProgram([engine, "kill", "--signal", which, name]);
      if (status === 0) return;
      // The client runs before its container exists, and a little longer than it.
      if (performance.now() > deadline)
        throw new BrokersError(
          "FAULTS_UNAVAILABLE",
          `${engine} could not send ${which}: ${stderr.trim()}`,
        );
      await sleep(SIGNAL_RETRY_MS);
    }
  };
  return { pid: undefined, exited: client.exited, signal };
}

function runArguments(
  { engine, image, command: [program, ...args], folder }: ContainerProgram,
  name: string,
): string[] {
  const { getuid = (): number => 0, getgid = (): number => 0 } = process;
  // A user other than root runs podman without root, where host users have other numbers inside unless asked otherwise.
  const mapping = engine === "podman" && getuid() !== 0 ? ["--userns=keep-id"] : [];
  const user = ["--user", `${getuid()}:${getgid()}`, ...mapping];
  return [
    "run",
    "--rm",
    "--name",
    name,
    "--network",
    "host",
    ...user,
    "-v",
    `${folder}:${folder}`,
    "--entrypoint",
    program,
    image,
    ...args,
  ];
}
