/**
 * Tests that the runner leaves out, each with the reason: they would take minutes and can only fail.
 */
export const SKIPS: Readonly<Record<string, Readonly<Record<string, string>>>> = {};
