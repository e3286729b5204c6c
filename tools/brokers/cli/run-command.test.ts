import { expect, test } from "vitest";

import { runCommand } from "./run-command.ts";
import type { CommandHost } from "./run-command.ts";

function recordingHost(): CommandHost & {
  readonly said: string[];
  readonly complaints: string[];
  readonly backgrounds: (readonly string[])[];
} {
  const said: string[] = [];
  const complaints: string[] = [];
  const backgrounds: (readonly string[])[] = [];
  return {
    said,
    complaints,
    backgrounds,
    say: (line) => void said.push(line),
    complain: (line) => void complaints.push(line),
    ready: () => undefined,
    interrupted: Promise.resolve(),
    runInBackground: async (args) => {
      backgrounds.push(args);
      return 1;
    },
  };
}

test("a command line that makes no sense ends with status 2 and one line on stderr", async () => {
  const host = recordingHost();
  expect(await runCommand(["start", "kafka", "--nodes", "2"], host)).toBe(2);
  expect(host.complaints).toEqual(["brokers: --nodes must be 1 or 3, got 2 (see --help)"]);
  expect(host.said).toEqual([]);
});

test("help is not a failure", async () => {
  const host = recordingHost();
  expect(await runCommand(["--help"], host)).toBe(0);
  expect(host.said.join("\n")).toContain("pnpm brokers start kafka");
});

test("--detach hands the same command line without it to another process and takes over its status", async () => {
  const host = recordingHost();
  expect(await runCommand(["start", "--detach", "kafka", "--nodes", "3"], host)).toBe(1);
  expect(host.backgrounds).toEqual([["start", "kafka", "--nodes", "3"]]);
});
