/**
 * The filters of CLIENT LIST and CLIENT KILL: compared with Valkey, and with the clock held.
 */
import { assertEquals } from "@std/assert";
import { withServer } from "../helpers/server.ts";
import { compareScripts } from "./compare_scripts.ts";
import { Conversation } from "./conversation.ts";
import { FILTER_SCRIPTS } from "./filter_scripts.ts";

/** The names that a script gives and the flags, without those of the socket, sorted: Valkey has an order of its own. */
function namesOf(lines: string): string {
  return [...lines.matchAll(/ name=(\S*) .* flags=(\S+) /g)].filter(([, name]) => name !== "")
    .map(([, name, flags]) => `${name} ${flags.replace(/[UN]/, "")}\n`).sort().join("");
}

const onlyNames = (text: string) => text.replaceAll(/(?:id=.*\n)+/g, namesOf).replaceAll(/\$\d+\r\n/g, "$n ");

compareScripts("clients are chosen as by", FILTER_SCRIPTS, { programs: ["valkey-server"], mask: onlyNames });

Deno.test("clients are chosen by id, address, age and idle time", () =>
  withServer(async (client, server) => {
    const talk = new Conversation({ hostname: "127.0.0.1", port: server.port });
    const names = async (...filters: string[]) =>
      [...(await client.run(["CLIENT", "LIST", ...filters].join(" "))).matchAll(/ name=(\w*) /g)].map(([, name]) =>
        name
      )
        .filter((name) => name !== "");
    const lines: Record<string, { id: string; addr: string }> = {};
    for (const name of ["a", "b", "c"]) {
      const line = Object.values(await talk.say(name, `CLIENT SETNAME ${name}`, "CLIENT INFO")).join("");
      lines[name] = { id: / ?id=(\d+)/.exec(line)![1], addr: / addr=(\S+)/.exec(line)![1] };
      server.clock.advance(10_000);
    }
    const { a, b, c } = lines, laddr = `127.0.0.1:${server.port}`;
    assertEquals(await names("ID", c.id, a.id, "999"), ["c", "a"]);
    assertEquals(await names("ID", c.id, a.id, "NAME", "a"), ["a"]);
    assertEquals(await names("NAME", "c", "ID", c.id, a.id), ["c"]);
    assertEquals(await names("NOT-ID", c.id, a.id), ["b"]);
    assertEquals(await names("ADDR", b.addr), ["b"]);
    assertEquals(await names("NOT-ADDR", b.addr, "NOT-NAME", "a"), ["c"]);
    assertEquals(await names("LADDR", laddr, "IP", "127.0.0.1"), ["a", "b", "c"]);
    assertEquals(await names("NOT-LADDR", laddr), []);
    assertEquals(await names("NOT-IP", "127.0.0.1"), []);
    assertEquals(await names("MAXAGE", "20"), ["a", "b"]);
    assertEquals(await names("MAXAGE", "21"), ["a"]);
    await talk.say("a", "PING");
    assertEquals(await names("IDLE", "20"), ["b"]);
    assertEquals(await client.run(`CLIENT KILL ID ${a.id} ${b.id} ${b.id} 999`), ":2\r\n");
    assertEquals(await talk.settle(), { a: "(closed)", b: "(closed)" });
    talk.close();
  }));
