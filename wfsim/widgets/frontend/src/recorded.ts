import { type Changes, patched } from "./scene.ts";
import type { Heard, Looks, Message, Model } from "./types.ts";

/** A widget's scene at its first step, and what each further step changes. */
export interface Recording {
  kind: string;
  looks: Looks;
  /** At which step it is shown first. */
  at: number;
  scene: object;
  steps: Changes[];
}

/** A model that answers from a recording: going back and forth, and nothing else. */
export function recorded(recording: Recording): Model {
  const heard = new Set<Heard>();
  let cursor = recording.at;
  const tell = (message: Message) => {
    for (const call of [...heard]) call(message, []);
  };
  const scene = () => recording.steps.slice(0, cursor).reduce<object>(patched, recording.scene);
  return {
    get: () => recording.kind,
    on: (_, call) => heard.add(call),
    off: (_, call) => heard.delete(call),
    send(content) {
      const message = content as Message;
      const { type, seq } = message;
      const to = type === "jump" ? Number(message["to"]) : type === "next" ? cursor + 1 : cursor;
      if (type === "hello" || to !== cursor) {
        cursor = Math.max(0, Math.min(recording.steps.length, to));
        const answer = { type: "scene", seq: seq!, version: cursor, problem: "", scene: scene() };
        queueMicrotask(() => tell(answer));
      } else if (seq !== undefined) {
        const text = "This page was saved: it shows what happened. Open it in a notebook to go on.";
        queueMicrotask(() => tell({ type: "problem", seq, text }));
      }
    },
  };
}
