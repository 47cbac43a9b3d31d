/** The heap of deadlines compared with a plain set. */
import { assertEquals } from "@std/assert";
import { DeadlineHeap, type Timed } from "../../src/core/deadline_heap.ts";
import { property } from "../helpers/property.ts";

interface Item extends Timed {
  readonly name: number;
}

Deno.test("the earliest item is first, whatever comes and goes", () =>
  property(10, (random) => {
    const heap = new DeadlineHeap<Item>();
    const model = new Set<Item>();
    for (let name = 0; name < 500; name++) {
      if (random.below(3) > 0) {
        const item = { name, deadlineMs: random.below(100), heapIndex: -1 };
        heap.add(item);
        model.add(item);
      } else {
        const item = [...model][random.below(Math.max(1, model.size))];
        if (item === undefined) continue;
        heap.remove(item);
        heap.remove(item);
        model.delete(item);
      }
      assertEquals(heap.size, model.size);
      assertEquals(
        heap.first?.deadlineMs,
        model.size === 0 ? undefined : Math.min(...[...model].map((i) => i.deadlineMs)),
      );
    }
  }));
