/**
 * `deno task compile:all`: one executable for each system that `deno compile` offers, into dist/, made of the files
 * of dist/bundle. Names of systems in the arguments choose some of them.
 */
const TARGETS: Readonly<Record<string, string>> = {
  "linux-x64": "x86_64-unknown-linux-gnu",
  "linux-arm64": "aarch64-unknown-linux-gnu",
  "macos-x64": "x86_64-apple-darwin",
  "macos-arm64": "aarch64-apple-darwin",
  "windows-x64": "x86_64-pc-windows-msvc",
  "windows-arm64": "aarch64-pc-windows-msvc",
};

/** Compiles for one system. Returns whether it worked. */
async function compile(name: string): Promise<boolean> {
  const output = `dist/memdb-${name}${name.startsWith("windows") ? ".exe" : ""}`;
  const flags = ["-q", "-P=serve", "--include", "dist/bundle", "--target", TARGETS[name]];
  const args = ["compile", ...flags, "-o", output, "dist/bundle/main.js"];
  const { success } = await new Deno.Command(Deno.execPath(), { args }).output().then((result) => {
    if (!result.success) Deno.stderr.writeSync(result.stderr);
    return result;
  });
  console.log(`${success ? "made" : "FAILED"} ${output}`);
  return success;
}

const chosen = Deno.args.length > 0 ? Deno.args : Object.keys(TARGETS);
for (const name of chosen) {
  if (!(name in TARGETS)) {
    console.error(`no system is called ${name}; there are ${Object.keys(TARGETS).join(", ")}`);
    Deno.exit(2);
  }
}
const failures: string[] = [];
for (const name of chosen) if (!await compile(name)) failures.push(name);
if (failures.length > 0) {
  console.error(`not compiled: ${failures.join(", ")}`);
  Deno.exit(1);
}
