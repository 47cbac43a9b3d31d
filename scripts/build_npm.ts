/**
 * `deno task build:npm`: the package for Node.js and Bun, into dist/npm: one file for `import`, one for `require`, and
 * the types. It holds mod.ts with the functions of Deno replaced by those of Node (src/embedded/node/).
 */
import { build, stop } from "npm:esbuild@0.28.2";
import config from "../deno.json" with { type: "json" };

const OUTPUT = "dist/npm";

await Deno.mkdir(OUTPUT, { recursive: true });
for (const [format, name] of [["esm", "index.mjs"], ["cjs", "index.cjs"]] as const) {
  await build({
    entryPoints: ["mod.ts"],
    outfile: `${OUTPUT}/${name}`,
    bundle: true,
    format,
    platform: "node",
    target: "node20",
    inject: ["src/embedded/node/deno.ts", "src/embedded/node/resolvers.ts"],
    define: { "Promise.withResolvers": "withResolvers" },
    logLevel: "warning",
  });
}
await stop();

const declaration = await new Deno.Command(Deno.execPath(), {
  args: ["bundle", "-q", "--declaration", "-o", `${OUTPUT}/types/mod.js`, "mod.ts"],
}).output();
if (!declaration.success) {
  Deno.stderr.writeSync(declaration.stderr);
  Deno.exit(1);
}
await Deno.rename(`${OUTPUT}/types/mod.d.ts`, `${OUTPUT}/index.d.ts`);
await Deno.remove(`${OUTPUT}/types`, { recursive: true });
await Deno.copyFile(`${OUTPUT}/index.d.ts`, `${OUTPUT}/index.d.cts`);

const manifest = {
  name: "memdb-server",
  version: config.version,
  description: "MemDB inside your tests: a server that speaks Redis's protocol, in this process",
  license: config.license,
  type: "module",
  engines: { node: ">=20.16" },
  exports: {
    ".": {
      import: { types: "./index.d.ts", default: "./index.mjs" },
      require: { types: "./index.d.cts", default: "./index.cjs" },
    },
  },
  files: ["index.mjs", "index.cjs", "index.d.ts", "index.d.cts"],
};
await Deno.writeTextFile(`${OUTPUT}/package.json`, `${JSON.stringify(manifest, null, 2)}\n`);
await Deno.copyFile("LICENSE", `${OUTPUT}/LICENSE`);
console.log(`made ${OUTPUT}, version ${config.version}`);
