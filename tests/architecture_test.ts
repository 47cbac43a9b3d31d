/**
 * The architecture: imports go downwards only, families of commands do not import each other, files stay small, and
 * the head of each file states its responsibility.
 */
import { assertEquals } from "@std/assert";
import { posix } from "node:path";

/** Each layer with the layers that it may import besides itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  resp: ["core"],
  store: ["core"],
  settings: ["core"],
  engine: ["core", "resp", "store", "settings"],
  dispatch: ["core", "resp", "store", "settings", "engine"],
  conversations: ["core", "resp", "store", "settings", "engine", "dispatch"],
  access: ["core", "settings", "engine", "dispatch"],
  rdb: ["core", "resp", "store", "settings", "engine"],
  scripting: ["core", "resp", "store", "settings", "engine", "dispatch"],
  commands: ["core", "resp", "store", "settings", "engine", "dispatch", "conversations", "access", "rdb", "scripting"],
  aof: ["core", "resp", "store", "settings", "engine", "dispatch", "rdb"],
  net: ["core", "resp", "store", "settings", "engine", "dispatch", "conversations"],
  tools: [
    "core",
    "resp",
    "store",
    "settings",
    "engine",
    "dispatch",
    "conversations",
    "access",
    "rdb",
    "scripting",
    "commands",
    "aof",
  ],
  server: [
    "core",
    "resp",
    "store",
    "settings",
    "engine",
    "dispatch",
    "conversations",
    "access",
    "rdb",
    "scripting",
    "commands",
    "aof",
    "net",
    "tools",
  ],
  embedded: [
    "core",
    "resp",
    "store",
    "settings",
    "engine",
    "dispatch",
    "rdb",
    "commands",
    "net",
    "tools",
    "server",
  ],
  cli: ["core", "resp", "dispatch", "commands"],
};

/** Lines of code in a file, without comments and empty lines. */
const LINES_MAX = 600;
const COLUMNS_MAX = 120;
/** The file with a compressed module, which a script makes. */
const GENERATED = "src/scripting/lua/binary.ts";

const root = new URL("../", import.meta.url);

interface Source {
  /** Relative to the root: "src/core/bytes.ts". */
  readonly path: string;
  readonly text: string;
  /** The imports of a file, static and dynamic; those of the project's files relative to the root. */
  readonly imports: readonly string[];
}

function* sources(folder: string): Generator<Source> {
  for (const entry of Deno.readDirSync(new URL(folder, root))) {
    const path = `${folder}${entry.name}`;
    if (entry.isDirectory) yield* sources(`${path}/`);
    else if (path.endsWith(".ts")) yield read(path);
  }
}

function read(path: string): Source {
  const text = Deno.readTextFileSync(new URL(path, root));
  const named = text.matchAll(
    /^(?:import|export)\b[^"';=]*?\bfrom "([^"]+)"|^import "([^"]+)"|\bimport\(\s*"([^"]+)"/gm,
  );
  const imports = [...named].map((match) => match[1] ?? match[2] ?? match[3])
    .map((name) => name.startsWith(".") ? posix.join(posix.dirname(path), name) : name);
  return { path, text, imports };
}

const all = [...sources("src/"), read("main.ts"), read("mod.ts")];

/** The layer of a file below src/, for example "core"; empty for other files. */
function layerOf(path: string): string {
  return /^src\/([^/]+)\//.exec(path)?.[1] ?? "";
}

Deno.test("imports go one way, from the server down to the core", () => {
  const wrong = all.flatMap(({ path, imports }) => {
    const layer = layerOf(path);
    if (!(layer in MAY_IMPORT)) return [];
    return imports.filter((name) => name.endsWith(".ts"))
      .filter((name) => layerOf(name) !== layer && !MAY_IMPORT[layer].includes(layerOf(name)))
      .map((name) => `${path} imports ${name}`);
  });
  assertEquals(wrong, []);
});

Deno.test("every folder of src has its place among the layers", () => {
  const layers = new Set(all.map(({ path }) => layerOf(path)).filter((layer) => layer !== ""));
  assertEquals([...layers].filter((layer) => !(layer in MAY_IMPORT)), []);
});

Deno.test("modules do not import each other in circles", () => {
  const bySource = new Map(all.map((source) => [source.path, source]));
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]): void => {
    if (way.includes(path)) throw new Error(`a circle: ${[...way.slice(way.indexOf(path)), path].join(" -> ")}`);
    if (done.has(path)) return;
    for (const next of valueImports(bySource.get(path))) visit(next, [...way, path]);
    done.add(path);
  };
  for (const { path } of all) visit(path, []);
});

/** The imports that a file needs at run time, without those of types only. */
function valueImports(source: Source | undefined): string[] {
  if (source === undefined) return [];
  const types = new Set(
    [...source.text.matchAll(/^(?:import|export) type [^"';]*?from "([^"]+)"/gm)].map(([, name]) =>
      posix.join(posix.dirname(source.path), name)
    ),
  );
  return source.imports.filter((path) => path.endsWith(".ts") && !types.has(path));
}

Deno.test("families of commands do not import each other", () => {
  const familyOf = (path: string) => /^src\/commands\/([^/]+)\//.exec(path)?.[1] ?? "";
  const wrong = all.filter(({ path }) => familyOf(path) !== "").flatMap(({ path, imports }) =>
    imports.filter((name) => familyOf(name) !== "" && ![familyOf(path), "shared"].includes(familyOf(name)))
      .map((name) => `${path} imports ${name}`)
  );
  assertEquals(wrong, []);
});

Deno.test("libraries come by the names that deno.json maps, and from the runtime", () => {
  const { imports } = JSON.parse(Deno.readTextFileSync(new URL("deno.json", root)));
  const known = (name: string) => name.startsWith("node:") || name in imports;
  const wrong = all.flatMap(({ path, imports }) =>
    imports.filter((name) => !/\.(ts|json)$/.test(name) && !known(name)).map((name) => `${path} imports ${name}`)
  );
  assertEquals(wrong, []);
});

Deno.test("every file states its responsibility at its head", () => {
  assertEquals(all.filter(({ text }) => !/^\/\*\*\s+\S/.test(text)).map(({ path }) => path), []);
});

Deno.test("no file is long", () => {
  const long = all.map(({ path, text }) => {
    const lines = text.split("\n").filter((line) => !/^\s*(\/\/|\/?\*|$)/.test(line)).length;
    return lines > LINES_MAX ? `${path}: ${lines} lines` : "";
  });
  assertEquals(long.filter((line) => line !== ""), []);
});

Deno.test("no line is wide", () => {
  const wide = all.filter(({ path }) => path !== GENERATED).flatMap(({ path, text }) =>
    text.split("\n").flatMap((line, i) => line.length > COLUMNS_MAX ? [`${path}, line ${i + 1}`] : [])
  );
  assertEquals(wide, []);
});
