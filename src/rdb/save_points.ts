/**
 * Starts the automatic snapshots of the setting `save`: each point has a number of changes and of seconds since the
 * last snapshot. After a failure the next snapshot waits some seconds.
 */
import { isSystemError } from "../core/io_error.ts";
import type { Engine } from "../engine/engine.ts";
import { saveInBackground } from "./save.ts";

const RETRY_MS = 5000;

/** Called several times a second: begins a snapshot if one is due. */
export function saveWhenDue(engine: Engine): void {
  const { clock, persistence, settings, snapshots, stats } = engine;
  const { save } = settings.values;
  if (save.length === 0 || persistence.loading || snapshots.cancel !== undefined) return;
  const nowMs = clock.nowMs();
  if (snapshots.lastFailed && nowMs - snapshots.triedMs <= RETRY_MS) return;
  const changes = stats.changes - snapshots.savedChanges;
  const passedSeconds = Math.floor(nowMs / 1000) - Math.floor(snapshots.lastSaveMs / 1000);
  const due = save.find((point) => changes >= point.changes && passedSeconds > point.seconds);
  if (due === undefined) return;
  engine.log("notice", `${due.changes} changes in ${due.seconds} seconds. Saving...`);
  try {
    void saveInBackground(engine);
  } catch (error) {
    // The log has the reason.
    if (!isSystemError(error)) throw error;
  }
}
