/**
 * Keyspace notifications: each event of a key whose class `notify-keyspace-events` names is published to the channel of
 * the key, `__keyspace@<db>__:<key>`, to the channel of the event, `__keyevent@<db>__:<event>`, or to both. While the
 * setting is empty nothing listens.
 */
import { utf8 } from "../core/bytes.ts";
import type { Engine } from "../engine/engine.ts";
import type { NotifyClass } from "../engine/listeners.ts";
import { NOTIFY_BITS } from "../settings/kinds.ts";
import type { Keyspace } from "../store/keyspace.ts";
import { Subscriptions } from "./subscriptions.ts";

export class Notifications {
  readonly #subscriptions: Subscriptions;
  /** The value of notify-keyspace-events: the bits of NOTIFY_BITS. */
  #classes = 0;
  #stop: (() => void) | undefined;

  constructor(engine: Engine) {
    this.#subscriptions = engine.part(Subscriptions);
    const listen = (classes: number) => {
      this.#classes = classes;
      this.#stop?.();
      const publishes = (classes & (NOTIFY_BITS.K | NOTIFY_BITS.E)) !== 0;
      this.#stop = publishes ? engine.listeners.keyEvent.add((...event) => this.#publish(...event)) : undefined;
    };
    engine.settings.onChange("notify-keyspace-events", listen);
    listen(engine.settings.values.notifyKeyspaceEvents);
  }

  #publish(db: Keyspace, kind: NotifyClass, event: string, bytes: Uint8Array, start: number, end: number): void {
    const classes = this.#classes;
    if ((classes & NOTIFY_BITS[kind]) === 0) return;
    const key = bytes.slice(start, end), name = utf8(event);
    if ((classes & NOTIFY_BITS.K) !== 0) this.#send(join(`__keyspace@${db.index}__:`, key), name);
    if ((classes & NOTIFY_BITS.E) !== 0) this.#send(join(`__keyevent@${db.index}__:`, name), key);
  }

  #send(channel: Uint8Array, payload: Uint8Array): void {
    this.#subscriptions.publish({
      channel: { bytes: channel, start: 0, end: channel.length },
      payload: { bytes: payload, start: 0, end: payload.length },
    });
  }
}

function join(prefix: string, name: Uint8Array): Uint8Array {
  const channel = new Uint8Array(prefix.length + name.length);
  channel.set(utf8(prefix));
  channel.set(name, prefix.length);
  return channel;
}
