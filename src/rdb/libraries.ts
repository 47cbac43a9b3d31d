/**
 * The code of libraries of functions in RDB files and in the payload of FUNCTION DUMP:
 *
 *     FUNCTION2:8 · code as a string                 for each library; a payload ends as that of DUMP does
 */
import { fail } from "../core/errors.ts";
import { Opcode, RdbError } from "./format.ts";
import { RdbInput } from "./input.ts";
import { RdbOutput } from "./output.ts";
import { FOOTER_BYTES } from "./payload.ts";

/** The payload of FUNCTION DUMP: the code of each library behind the code of its kind. */
export function dumpLibraries(sources: readonly Uint8Array[], version: number, compression: boolean): Uint8Array {
  const output = new RdbOutput({ compression, checksum: true });
  for (const source of sources) writeLibrary(output, source);
  output.int16(version);
  output.checksum();
  return output.bytes.slice(0, output.length);
}

/** Writes the code of a library of functions. */
export function writeLibrary(output: RdbOutput, source: Uint8Array): void {
  output.byte(Opcode.FUNCTION2);
  output.string(source, 0, source.length);
}

/** The code of the libraries in a sound payload of FUNCTION DUMP. Throws CommandError. */
export function readLibraries(payload: Uint8Array): Uint8Array[] {
  const input = RdbInput.of(payload.subarray(0, payload.length - FOOTER_BYTES));
  const sources: Uint8Array[] = [];
  try {
    while (input.offset < payload.length - FOOTER_BYTES) {
      const kind = input.byte();
      if (kind === Opcode.FUNCTION_PRE_GA) fail("ERR Pre-GA function format not supported");
      if (kind !== Opcode.FUNCTION2) fail("ERR given type is not a function");
      input.string();
      sources.push(input.bytes.slice(input.start, input.end));
    }
  } catch (error) {
    if (error instanceof RdbError) fail("ERR failed loading the given functions payload");
    throw error;
  }
  return sources;
}
