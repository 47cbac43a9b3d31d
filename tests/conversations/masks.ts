/**
 * Parts of what clients receive that differ between runs of the same server.
 */

const BULK = String.raw`\$\d+\r\n[^\r]*\r\n`;
const PATTERN_MESSAGES = new RegExp(String.raw`(?:[*>]4\r\n\$8\r\npmessage\r\n(?:${BULK}){3})+`, "g");
const UNSUBSCRIBED = new RegExp(String.raw`(?:[*>]3\r\n\$1[123]\r\n[ps]?unsubscribe\r\n${BULK}:\d+\r\n){2,}`, "g");

const ALL_INVALIDATED = String.raw`(?:>2\r\n\$10\r\ninvalidate|\*3\r\n\$7\r\nmessage\r\n\$20\r\n__redis__:invalidate)`;
const FLUSHED = new RegExp(String.raw`(?:${ALL_INVALIDATED}\r\n(?:_|\$-1)\r\n){2,}`, "g");

/** Servers introduce themselves each in its way. */
const GREETING = /(?:%7|\*14)\r\n\$6\r\nserver\r\n[^]*?modules\r\n(?:\*1\r\n[^]*?args\r\n)?\*0\r\n/g;

/**
 * Undoes the orders that are random in the released servers, and removes greetings: the order of patterns, of the names
 * in an UNSUBSCRIBE without any, and of clients that hear of a flush in the same place.
 */
export function anyOrder(text: string): string {
  return text.replace(GREETING, "(greeting)").replace(
    PATTERN_MESSAGES,
    (run) => run.split(/(?=[*>]4\r\n\$8\r\npm)/).sort().join(""),
  )
    .replace(FLUSHED, (run) => run.split(/(?=[*>][23]\r\n)/).sort().join(""))
    .replace(UNSUBSCRIBED, (run) => run.split("\r\n").sort().join("\r\n"));
}
