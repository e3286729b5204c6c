import { mkdir, mkdtemp, readdir, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { runProgram } from "./run-program.ts";
import type { RunResult } from "./run-program.ts";
import { ROOT } from "./workspace.ts";

const TIMEOUT_MS = 120_000;
/** What npm may take over from the run that started us: where the registry is and how to reach it. Everything else belongs to the workspace. */
const KEPT_NPM_SETTINGS =
  /^npm_config_(?:registry|userconfig|cache|cafile|ca|proxy|https_proxy|noproxy|strict_ssl|@.*|\/\/.*)$/i;
const DROPPED = /^(?:npm_|pnpm_|NODE_PATH$|INIT_CWD$|NODE_OPTIONS$)/i;

/** A project like a user's: in a temporary folder, outside of the workspace. */
export interface OutsideProject extends AsyncDisposable {
  /** Absolute path. */
  readonly folder: string;
  /** Write one file, given by its path inside the project. */
  write(path: string, text: string): Promise<void>;
  /** Install packages with npm, as users do. */
  install(specs: readonly string[]): Promise<RunResult>;
  /** Make a package of the workspace's own node_modules available, without a network. */
  link(name: string, target: string): Promise<void>;
  /** Run a program in the project. */
  run(command: readonly [string, ...string[]]): Promise<RunResult>;
}

/** Begin an empty project; disposing removes it. */
export async function outsideProject(): Promise<OutsideProject> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "bus-project-")));
  const env = userEnvironment();
  const write = async (path: string, text: string): Promise<void> => {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  };
  const run = async (command: readonly [string, ...string[]]): Promise<RunResult> =>
    await runProgram(command, { cwd: folder, env, timeoutMs: TIMEOUT_MS });
  await write("package.json", JSON.stringify({ name: "outside", private: true, type: "module" }));
  return {
    folder,
    write,
    run,
    install: async (specs) =>
      await run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", ...specs]),
    link: async (name, target) => {
      const path = join(folder, "node_modules", name);
      await mkdir(dirname(path), { recursive: true });
      await symlink(await realpath(target), path);
    },
    [Symbol.asyncDispose]: async () => await rm(folder, { recursive: true, force: true }),
  };
}

/** The packages that a project has installed, by name. */
export async function installedPackages(folder: string): Promise<readonly string[]> {
  const modules = join(folder, "node_modules");
  const names = (await readdir(modules)).filter((name) => !name.startsWith("."));
  const nested = names.map(async (name) => {
    if (!name.startsWith("@")) return [name];
    return (await readdir(join(modules, name))).map((inner) => `${name}/${inner}`);
  });
  return (await Promise.all(nested)).flat().toSorted();
}

/** tsconfig.json of a strict user who also checks our declarations. */
export function userTsconfig(moduleResolution: "nodenext" | "bundler"): string {
  const module = moduleResolution === "bundler" ? "preserve" : "nodenext";
  return JSON.stringify({
    compilerOptions: {
      target: "es2023",
      lib: ["es2024", "esnext.disposable"],
      module,
      moduleResolution,
      strict: true,
      skipLibCheck: false,
      noEmit: true,
      types: ["node"],
      typeRoots: [join(ROOT, "node_modules", "@types")],
    },
    include: ["*.ts"],
  });
}

function userEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => KEPT_NPM_SETTINGS.test(name) || !DROPPED.test(name),
  );
  return Object.fromEntries(kept);
}
