/**
 * DEBUG PROTOCOL: a sample reply of each type of the protocol, for authors of clients. The values are Redis's.
 */
import { fail } from "../../core/errors.ts";
import type { Reply } from "../../resp/reply.ts";

const VALUES: Readonly<Record<string, (reply: Reply) => void>> = {
  string: (reply) => reply.bulkText("Hello World"),
  integer: (reply) => reply.integer(12345),
  double: (reply) => reply.double(3.141),
  bignum: (reply) => reply.bigNumber("1234567999999999999999999999999999999"),
  null: (reply) => reply.null(),
  array: (reply) => {
    reply.array(3);
    for (let i = 0; i < 3; i++) reply.integer(i);
  },
  set: (reply) => {
    reply.set(3);
    for (let i = 0; i < 3; i++) reply.integer(i);
  },
  map: (reply) => {
    reply.map(3);
    for (let i = 0; i < 3; i++) {
      reply.integer(i);
      reply.boolean(i === 1);
    }
  },
  attrib: (reply) => {
    if (reply.version === 3) {
      reply.attribute(1);
      reply.bulkText("key-popularity");
      reply.array(2);
      reply.bulkText("key:123");
      reply.integer(90);
    }
    reply.bulkText("Some real reply following the attribute");
  },
  push: (reply) => {
    if (reply.version !== 3) fail("ERR RESP2 is not supported by this command");
    // A push is not a reply: a client that drops it still needs one.
    reply.bulkText("Some real reply following the push reply");
    reply.push(2);
    reply.bulkText("server-cpu-usage");
    reply.integer(42);
  },
  verbatim: (reply) => reply.verbatim("txt", "This is a verbatim\nstring"),
  true: (reply) => reply.boolean(true),
  false: (reply) => reply.boolean(false),
};

/** Replies with the sample value of a type; throws for an unknown type. */
export function replyTestValue(reply: Reply, type: string): void {
  const value = Object.hasOwn(VALUES, type) ? VALUES[type] : undefined;
  if (value === undefined) {
    fail(`ERR Wrong protocol type name. Please use one of the following: ${Object.keys(VALUES).join("|")}`);
  }
  value(reply);
}
