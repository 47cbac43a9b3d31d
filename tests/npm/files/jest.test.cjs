const { Redis } = require("ioredis");
const { MemDB } = require("memdb-server");

test("the package works with require and Jest", async () => {
  const db = await MemDB.start();
  const redis = new Redis(db.url);
  await redis.hset("user:1", { name: "Ada" });
  expect(db.value("user:1")).toEqual({ name: "Ada" });
  redis.disconnect();
  await db.stop();
});
