/**
 * `deno task test:npm`: builds the npm package, installs it in an empty folder beside the clients and the runners of
 * its users, and runs their tests. Needs Node.js, npm and npm's registry.
 */
const root = new URL("../../", import.meta.url);
const path = (name: string) => decodeURI(new URL(name, root).pathname);

const CLIENTS = ["ioredis@6.0.0", "redis@6.3.1"], RUNNERS = ["vitest@3", "jest@30"];
const RUNS: readonly (readonly [string, ...string[]])[] = [
  ["node", "--test", "node.test.mjs"],
  ["npx", "vitest", "run", "vitest.test.mjs"],
  ["npx", "jest", "--testMatch", "**/jest.test.cjs"],
];

async function run(cwd: string, program: string, ...args: string[]): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args, cwd, env: { CI: "true" } }).output();
  if (success) return console.log(`ok: ${[program, ...args].join(" ")}`);
  Deno.stdout.writeSync(stdout);
  Deno.stderr.writeSync(stderr);
  throw new Error(`failed: ${[program, ...args].join(" ")}`);
}

await run(path("."), Deno.execPath(), "task", "build:npm");
const folder = await Deno.makeTempDir();
try {
  for await (const { name } of Deno.readDir(path("tests/npm/files"))) {
    await Deno.copyFile(path(`tests/npm/files/${name}`), `${folder}/${name}`);
  }
  await Deno.writeTextFile(`${folder}/package.json`, '{ "private": true }\n');
  await run(
    folder,
    "npm",
    "install",
    "--no-audit",
    "--no-fund",
    "--install-links",
    path("dist/npm"),
    ...CLIENTS,
    ...RUNNERS,
  );
  for (const [program, ...args] of RUNS) await run(folder, program, ...args);
} finally {
  await Deno.remove(folder, { recursive: true });
}
