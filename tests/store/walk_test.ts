import { assertEquals } from "@std/assert";
import { latin1, utf8 } from "../../src/core/bytes.ts";
import { SnapshotWalk } from "../../src/store/walk.ts";
import { type Keyspace, NEVER } from "../../src/store/keyspace.ts";
import { Store } from "../../src/store/store.ts";
import { oneIn, property } from "../helpers/property.ts";
import type { RecordRef } from "../../src/store/memory/arena.ts";

function valueOf(db: Keyspace, ref: RecordRef): string {
  db.readString(ref);
  const value = latin1(db.bytes, db.start, db.start + db.length);
  db.readKey(ref);
  return `${db.index} ${latin1(db.bytes, db.start, db.start + db.length)}=${value}`;
}

Deno.test("a walk visits each key once as it was at the beginning, while keys come, change and go by thousands", () =>
  property(4, (random) => {
    const store = new Store({ databases: 2, random });
    const key = () => utf8(`key ${random.below(6000)}`);
    const set = (db: Keyspace, name: Uint8Array) => {
      const value = utf8(`${random.below(1e6)}`);
      db.setString(name, 0, name.length, value, 0, value.length, NEVER);
    };
    for (let i = random.below(5000); i > 0; i--) set(store.databases[random.below(2)], key());
    const expected = store.databases.flatMap((db) => {
      const found: string[] = [];
      store.dict.each(db.keys, (ref) => void found.push(valueOf(db, ref)));
      return found;
    });
    const visited: string[] = [];
    const walk = new SnapshotWalk(store, (db, ref) => void visited.push(valueOf(db, ref)));
    // The dictionary grows or shrinks, so that segments split and merge during the walk.
    const growing = oneIn(random, 2);
    while (!walk.done) {
      for (let i = random.below(6); i > 0; i--) {
        const db = store.databases[random.below(2)], name = key();
        walk.beforeChange(db.index, name, 0, name.length);
        if (oneIn(random, 4) === growing) db.remove(name, 0, name.length);
        else set(db, name);
      }
      walk.step();
    }
    assertEquals(visited.sort(), expected.sort());
    store.check();
  }));
