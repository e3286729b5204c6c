import { expect, test } from "vitest";

import { ensureBuildTools } from "./build-tools.ts";
import type { Machine } from "./machine.ts";

const LIBRARIES = ["libssl-dev", "libzstd-dev", "zlib1g-dev", "libcurl4-openssl-dev"];

/** A machine that has these programs and, when it is a Debian, these packages; it remembers what it was asked to run. */
function machineWith(has: {
  programs: string[];
  packages?: string[];
  isRoot?: boolean;
  installs?: boolean;
}): Machine & { readonly ran: string[]; readonly said: string[] } {
  const ran: string[] = [];
  const said: string[] = [];
  return {
    ran,
    said,
    isRoot: has.isRoot ?? false,
    say: (line) => void said.push(line),
    run: async ([program, ...args]) => {
      ran.push([program, ...args].join(" "));
      if (program === "dpkg-query" && has.packages !== undefined) {
        const known = args.filter((name) => has.packages?.includes(name));
        return {
          status: known.length === LIBRARIES.length ? 0 : 1,
          stdout: known.map((name) => `${name} installed\n`).join(""),
          stderr: "",
        };
      }
      if (program === "apt-get" && args[0] === "install" && has.installs === false)
        return { status: 100, stdout: "", stderr: "E: no such package\n" };
      return { status: has.programs.includes(program) ? 0 : 127, stdout: "", stderr: "" };
    },
  };
}

test("when everything is there nothing is installed", async () => {
  const machine = machineWith({
    programs: ["g++", "make", "python3", "apt-get"],
    packages: LIBRARIES,
    isRoot: true,
  });
  await ensureBuildTools(machine);
  expect(machine.ran.filter((line) => line.startsWith("apt-get"))).toEqual([]);
});

test("root installs exactly what is missing, and says so", async () => {
  const machine = machineWith({
    programs: ["make", "python3", "apt-get"],
    packages: ["libssl-dev", "zlib1g-dev"],
    isRoot: true,
  });
  await ensureBuildTools(machine);
  expect(machine.ran.slice(-2)).toEqual([
    "apt-get update",
    "apt-get install -y --no-install-recommends g++ libzstd-dev libcurl4-openssl-dev",
  ]);
  expect(machine.said).toEqual(["installing g++ libzstd-dev libcurl4-openssl-dev"]);
});

test("anybody else is told which packages to install and how", async () => {
  const machine = machineWith({
    programs: ["g++", "make", "python3", "apt-get"],
    packages: ["libssl-dev", "zlib1g-dev", "libzstd-dev"],
  });
  await expect(ensureBuildTools(machine)).rejects.toMatchObject({
    code: "PACKAGES_MISSING",
    message:
      "the build needs libcurl4-openssl-dev; install them: apt-get install libcurl4-openssl-dev",
  });
  expect(machine.ran.filter((line) => line.startsWith("apt-get"))).toEqual([]);
});

test("root without apt-get is told as well", async () => {
  const machine = machineWith({ programs: ["make", "python3"], isRoot: true });
  await expect(ensureBuildTools(machine)).rejects.toMatchObject({
    code: "PACKAGES_MISSING",
    message: "the build needs g++; install them: apt-get install g++",
  });
});

test("on a system without Debian packages only the programs are asked for", async () => {
  const ready = ensureBuildTools(machineWith({ programs: ["g++", "make", "python3"] }));
  await expect(ready).resolves.toBeUndefined();
});

test("an installation that fails is a failure, with what the installer said", async () => {
  const machine = machineWith({
    programs: ["apt-get"],
    packages: [],
    isRoot: true,
    installs: false,
  });
  await expect(ensureBuildTools(machine)).rejects.toMatchObject({
    code: "BUILD_FAILED",
    message: expect.stringContaining("E: no such package") as string,
  });
});
