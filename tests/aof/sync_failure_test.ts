import { assert, assertEquals, assertMatch } from "@std/assert";
import { SeededRandom } from "../../src/core/random.ts";
import { type DiskFaults, SimulatedDisk } from "../helpers/simulated_disk.ts";
import { Node } from "./node.ts";

/** Advances the clock until the condition holds. */
async function until(node: Node, condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    assert(tries < 1000, `still not so: ${node.engine.persistence.failure}`);
    node.clock.advance(100);
    node.manager.tick();
    await new Promise((resolve) => setTimeout(resolve));
  }
}

Deno.test("after a failed sync nothing is acknowledged until a new file holds everything", async () => {
  for (const policy of ["always", "everysec"]) {
    const faults: DiskFaults = {};
    const disk = new SimulatedDisk(new SeededRandom(1), faults);
    const node = await Node.start(disk, { appendfsync: policy });
    const { persistence } = node.engine;
    assert(await node.inTurn(() => node.run("SET", "before", 1)));
    await until(node, () => true);
    faults.syncError = "Input/output error";
    const acknowledged = await node.inTurn(() => node.run("SET", "amid", 2));
    assertEquals(acknowledged, policy === "everysec");
    await until(node, () => persistence.failure !== "");
    assertMatch(persistence.failure, /^MISCONF Errors writing to the AOF file: a sync failed.* \(\/data\/a\.aof\)$/);
    assertMatch(node.run("SET", "refused", 3), /^-MISCONF/);
    assertEquals(node.run("GET", "before"), "$1\r\n1\r\n");
    faults.syncError = undefined;
    await until(node, () => persistence.failure === "");
    assert(await node.inTurn(() => node.run("SET", "after", 4)));
    if (policy === "everysec") {
      node.clock.advance(1001);
      node.manager.tick();
      await until(node, () => persistence.fsyncPending === 0);
    }
    const next = await Node.start(disk.afterPowerFailure(), { appendfsync: policy });
    assertEquals(next.run("MGET", "before", "amid", "after"), "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n4\r\n");
    await next.manager.close();
    await node.manager.close();
  }
});
