import { expect, test } from "vitest";

import { runProgram } from "./run-program.ts";

test("output, status and environment of a program are its result", async () => {
  const result = await runProgram(["/bin/sh", "-c", 'echo "$GREETING"; echo trouble >&2; exit 3'], {
    env: { GREETING: "hello" },
  });
  expect(result).toEqual({ status: 3, stdout: "hello\n", stderr: "trouble\n" });
});

test("a program that does not exist is a result too, and its time limit does not keep the process alive", async () => {
  const timersBefore = process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
  expect(await runProgram(["no-such-program"], { timeoutMs: 60_000 })).toMatchObject({
    status: 127,
  });
  expect(process.getActiveResourcesInfo().filter((kind) => kind === "Timeout")).toHaveLength(
    timersBefore,
  );
});

test("a program that takes too long is killed", async () => {
  expect(await runProgram(["sleep", "600"], { timeoutMs: 20 })).toEqual({
    status: 137,
    stdout: "",
    stderr: "",
  });
});
