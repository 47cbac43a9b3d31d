/** The program under test: allows three calls a minute. */
export async function allowed(redis, user) {
  const calls = await redis.incr(`calls:${user}`);
  if (calls === 1) await redis.expire(`calls:${user}`, 60);
  return calls <= 3;
}
