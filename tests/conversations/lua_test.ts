/**
 * Scripts and functions among several clients: word for word as the released servers do it.
 */
import { compareScripts } from "./compare_scripts.ts";
import { LUA_SCRIPTS } from "./lua_scripts.ts";

compareScripts("scripts are heard of as in", LUA_SCRIPTS);
