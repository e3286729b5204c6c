import { AddonError } from "./addon-error.ts";
import type { Machine } from "./machine.ts";

const INSTALL_TIMEOUT_MS = 600_000;

/** Programs that the build runs, by the Debian package that brings them. */
const PROGRAMS: Readonly<Record<string, string>> = {
  "g++": "g++",
  make: "make",
  python3: "python3",
};

/** Debian packages with the headers of the libraries that librdkafka links. */
const LIBRARIES = ["libssl-dev", "libzstd-dev", "zlib1g-dev", "libcurl4-openssl-dev"] as const;

/**
 * Make sure that everything is there to build the addon; as root, install what is missing.
 *
 * On a system without Debian's package list only the programs are looked for; a missing library then shows in the build.
 *
 * @throws AddonError `PACKAGES_MISSING` naming the packages and the command, when this process may not install them.
 * @throws AddonError `BUILD_FAILED` when the installation fails.
 */
export async function ensureBuildTools(machine: Machine): Promise<void> {
  const missing = [...(await missingPrograms(machine)), ...(await missingLibraries(machine))];
  if (missing.length === 0) return;
  const names = missing.join(" ");
  const canInstall = machine.isRoot && (await machine.run(["apt-get", "--version"])).status === 0;
  if (!canInstall) {
    throw new AddonError(
      "PACKAGES_MISSING",
      `the build needs ${missing.join(", ")}; install them: apt-get install ${names}`,
    );
  }
  machine.say(`installing ${names}`);
  const environment = { env: { DEBIAN_FRONTEND: "noninteractive" }, timeoutMs: INSTALL_TIMEOUT_MS };
  await machine.run(["apt-get", "update"], environment); // a list that is too old shows in the next step
  const { status, stderr } = await machine.run(
    ["apt-get", "install", "-y", "--no-install-recommends", ...missing],
    environment,
  );
  if (status !== 0)
    throw new AddonError(
      "BUILD_FAILED",
      `apt-get could not install ${names}: ${stderr.trim().slice(-500)}`,
    );
}

async function missingPrograms(machine: Machine): Promise<string[]> {
  const missing: string[] = [];
  for (const [program, debianPackage] of Object.entries(PROGRAMS)) {
    const { status } = await machine.run([program, "--version"]);
    if (status !== 0) missing.push(debianPackage);
  }
  return missing;
}

async function missingLibraries(machine: Machine): Promise<string[]> {
  const { status, stdout } = await machine.run([
    "dpkg-query",
    "-W",
    "-f",
    "${Package} ${db:Status-Status}\n",
    ...LIBRARIES,
  ]);
  if (status === 127) return [];
  const installed = new Set(stdout.split("\n").filter((line) => line.endsWith(" installed")));
  return LIBRARIES.filter((name) => !installed.has(`${name} installed`));
}
