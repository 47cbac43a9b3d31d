/**
 * The WebAssembly module that is checked in.
 */
import { assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { SHA256 } from "../../src/scripting/lua/binary.ts";
import { moduleBytes } from "../../src/scripting/module.ts";

Deno.test("the module has the checksum that stands beside it", () => {
  assertEquals(createHash("sha256").update(moduleBytes()).digest("hex"), SHA256);
});

Deno.test("the module imports nothing but what the server offers, and exports its face", () => {
  const module = new WebAssembly.Module(moduleBytes());
  const imports = WebAssembly.Module.imports(module);
  assertEquals(imports.map(({ module }) => module).filter((name) => name !== "host"), []);
  assertEquals(
    imports.map(({ name }) => name).sort(),
    [
      "acl_check",
      "add_function",
      "call",
      "clock",
      "digits",
      "log",
      "set_repl",
      "set_resp",
      "sha1",
      "tick",
      "write",
      "write_double",
      "write_error",
    ],
  );
});
