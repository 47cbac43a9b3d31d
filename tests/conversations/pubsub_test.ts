/**
 * Publish and subscribe: word for word as the released servers do it.
 */
import { compareScripts } from "./compare_scripts.ts";
import { PUBSUB_SCRIPTS } from "./pubsub_scripts.ts";

compareScripts("subscribers hear what they hear from", PUBSUB_SCRIPTS);
