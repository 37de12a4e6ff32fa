import { useEffect, useRef, useState } from "preact/hooks";
import { type Changes, patched } from "./scene.ts";
import type { Message, Model } from "./types.ts";

/** What a widget has of Python: what to show, why the last request could not be met, and a way to ask. */
export interface Link<S> {
  scene: S | null;
  problem: string;
  busy: boolean;
  ask(type: string, content?: Record<string, unknown>): void;
  refuse(problem: string): void;
}

/** Requests with a number each, so that the answer to each is known; more than one may be under way. */
export class Wire {
  readonly times: number[] = [];
  private readonly model: Model;
  private readonly heard: (message: Message) => void;
  private readonly sent = new Map<number, number>();
  private seq = 0;

  constructor(model: Model, heard: (message: Message) => void) {
    this.model = model;
    this.heard = heard;
    model.on("msg:custom", this.listen);
  }

  get pending(): number {
    return this.sent.size;
  }

  stop(): void {
    this.model.off("msg:custom", this.listen);
  }

  ask(type: string, content: Record<string, unknown> = {}): void {
    const seq = ++this.seq;
    this.sent.set(seq, performance.now());
    this.model.send({ ...content, type, seq });
    // The server's socket holds a second small packet back until the first is acknowledged, which takes up to 40 ms
    // (Nagle); anything sent meanwhile carries that acknowledgement.
    for (const ms of [4, 12]) setTimeout(() => this.sent.has(seq) && this.model.send({ type: "." }), ms);
  }

  private readonly listen = (message: Message) => {
    const since = this.sent.get(message.seq ?? -1);
    if (since !== undefined) {
      this.times.push(performance.now() - since);
      this.sent.delete(message.seq!);
    }
    this.heard(message);
  };
}

/** The link of a widget; `file` is given what Python answers to a request for a file. */
export function useLink<S extends object>(model: Model): Link<S> {
  const [scene, setScene] = useState<S | null>(null);
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const wire = useRef<Wire | null>(null);
  const version = useRef(-1);
  const ask = (type: string, content: Record<string, unknown> = {}) => {
    wire.current!.ask(type, { ...content, version: version.current });
    setBusy(true);
  };
  useEffect(() => {
    const line = new Wire(model, (message) => {
      setBusy(line.pending > 0);
      if (message.type === "scene") {
        version.current = message["version"] as number;
        setScene(message["scene"] as S);
        setProblem(message["problem"] as string);
      } else if (message.type === "patch" && message["base"] === version.current) {
        version.current = message["version"] as number;
        setScene((old) => old && patched(old, message["changes"] as Changes));
        setProblem(message["problem"] as string);
      } else if (message.type === "patch") {
        // Something was missed, a page that slept for instance.
        if (message["version"] !== version.current) line.ask("hello");
      } else if (message.type === "problem") setProblem(message["text"] as string);
      else if (message.type === "file") download(message["name"] as string, message["text"] as string);
    });
    wire.current = line;
    line.ask("hello");
    return () => line.stop();
  }, [model]);
  return { scene, problem, busy, ask, refuse: setProblem };
}

function download(name: string, text: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
