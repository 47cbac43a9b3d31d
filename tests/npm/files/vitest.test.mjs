import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Redis } from "ioredis";
import { MemDB } from "memdb-server";
import { allowed } from "./limits.mjs";

let db, redis, before;
beforeAll(async () => {
  db = await MemDB.start({ clock: "manual" });
  redis = new Redis(db.url);
  before = db.snapshot();
});
beforeEach(() => db.restore(before));
afterAll(async () => {
  redis.disconnect();
  await db.stop();
});

test("three calls are allowed", async () => {
  for (let i = 0; i < 3; i++) expect(await allowed(redis, "ada")).toBe(true);
  expect(await allowed(redis, "ada")).toBe(false);
});

test("each test begins empty", () => expect(db.keys()).toEqual([]));
