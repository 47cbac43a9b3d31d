/**
 * Clients of npm with an embedded server, in a program of its own: they are no dependency of MemDB.
 */
import { assertEquals } from "@std/assert";

const path = (name: string) => decodeURI(new URL(`../clients/${name}`, import.meta.url).pathname);

Deno.test("ioredis and node-redis work with a server in their own process, with a port and without", async () => {
  const permissions = ["--allow-net=127.0.0.1,[::1],localhost", "--allow-read", "--allow-env", "--allow-sys"];
  const args = ["run", "-q", "--no-check", "--config", path("deno.json"), ...permissions, path("embedded.ts")];
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assertEquals([code, text(stdout), text(stderr)], [0, "", ""]);
});
