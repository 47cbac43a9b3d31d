/**
 * The setting import-mode: while another server's data is copied here, no key expires by itself and none is evicted.
 * Keys past their deadline are hidden from clients, except from those that called themselves a source of the import by
 * CLIENT IMPORT-SOURCE: these see every key.
 */
import { ExpiryMode } from "../store/keyspace.ts";
import type { Engine } from "./engine.ts";
import type { Session } from "./session.ts";

export class ImportMode {
  readonly #engine: Engine;
  #release: (() => void) | undefined;

  constructor(engine: Engine) {
    this.#engine = engine;
    engine.settings.onChange("import-mode", () => this.#configure());
    this.#configure();
  }

  get on(): boolean {
    return this.#release !== undefined;
  }

  /** Says whether a client is a source of the import. It stays one until it says otherwise. */
  setSource(session: Session, isSource: boolean): void {
    session.importSource = isSource;
    this.#apply(session);
  }

  #apply(session: Session): void {
    session.expiryMode = session.importSource && this.on ? ExpiryMode.KEEP : ExpiryMode.DELETE;
  }

  #configure(): void {
    const { sessions, settings } = this.#engine;
    if (settings.values.importMode === this.on) return;
    this.#release?.();
    this.#release = settings.values.importMode ? this.#engine.holdExpiry(ExpiryMode.HIDE) : undefined;
    for (const session of sessions.values()) if (session.importSource) this.#apply(session);
  }
}
