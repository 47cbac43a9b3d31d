/**
 * Tests that the runner leaves out, each with the reason: running them would cost minutes and could only fail.
 */
export const SKIPS: Readonly<Record<string, Readonly<Record<string, string>>>> = {};
