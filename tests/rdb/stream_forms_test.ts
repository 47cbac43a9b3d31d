/** The forms of streams in files since Redis 5: redis-server and MemDB restore the same bytes and get the same stream. */
import { assertEquals } from "@std/assert";
import type { TestClient } from "../helpers/client.ts";
import { bulkBytes, payloadOf } from "../helpers/payload.ts";
import { differential, type Pair } from "../helpers/redis.ts";
import { STREAM_FORMS, streamForm } from "../helpers/stream_forms.ts";

/** Compares what XINFO STREAM says, but for the shape of Redis's own tree. */
async function sameInfo({ memdb, redis }: Pair, line: string): Promise<void> {
  const said = async (client: TestClient) => (await client.run(line)).replace(/(radix-tree-nodes\r\n):\d+/, "$1:N");
  assertEquals(await said(memdb), await said(redis));
}

for (const [type, version] of STREAM_FORMS) {
  differential(`a stream of type ${type} is what redis-server takes it for`, async (pair) => {
    const payload = payloadOf([type, ...streamForm(type)], version);
    assertEquals(await pair.same("RESTORE", "s", "0", payload), "+OK\r\n");
    for (const line of ["XLEN s", "XRANGE s - +", "XREVRANGE s + -"]) await pair.same(...line.split(" "));
    await sameInfo(pair, "XINFO STREAM s FULL COUNT 0");
    await pair.same("DEBUG", "DIGEST-VALUE", "s");
    // What each writes of it, the other reads.
    const own = await pair.same("DUMP", "s");
    assertEquals(await pair.same("RESTORE", "t", "0", bulkBytes(own)), "+OK\r\n");
    assertEquals(await pair.same("DUMP", "t"), own);
    await pair.sameLines(`
      XPENDING s workers
      XREADGROUP GROUP workers one STREAMS s 0
      XDEL s 1000-5
      XADD s * a b
    `);
    await sameInfo(pair, "XINFO STREAM s");
  }, { rdbcompression: "no" });
}
