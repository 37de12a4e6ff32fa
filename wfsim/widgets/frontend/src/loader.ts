// What every widget carries (and every saved notebook stores): asks for the bundle once per page, over the comm.
import type { Heard, Looks, Model } from "./types.ts";

declare const VERSION: string;
type Bundle = { mount(model: Model, el: HTMLElement, looks: Looks): () => void };
type Loaded = { bundle: Bundle; looks: Looks };
const KEY = Symbol.for(`wfsim ${VERSION}`);
const page = globalThis as unknown as Record<symbol, Promise<Loaded> | undefined>;
const PATIENCE = 20_000;

function ask(model: Model): Promise<Loaded> {
  return new Promise((done, fail) => {
    const heard: Heard = (message, buffers) => {
      if (message?.type !== "bundle") return;
      stop();
      const url = URL.createObjectURL(new Blob([buffers[0]! as DataView<ArrayBuffer>], { type: "text/javascript" }));
      import(/* @vite-ignore */ url)
        .then((bundle: Bundle) => done({ bundle, looks: message["looks"] as Looks }), fail)
        .finally(() => URL.revokeObjectURL(url));
    };
    const late = setTimeout(() => {
      stop();
      fail(new Error("No kernel answers."));
    }, PATIENCE);
    const stop = () => {
      clearTimeout(late);
      model.off("msg:custom", heard);
    };
    model.on("msg:custom", heard);
    model.send({ type: "bundle?" });
  });
}

export default {
  async render({ model, el }: { model: Model; el: HTMLElement }) {
    let gone = false;
    let stop = () => {};
    page[KEY] ??= ask(model);
    page[KEY].then(
      ({ bundle, looks }) => {
        if (!gone) stop = bundle.mount(model, el, looks);
      },
      (error) => {
        delete page[KEY]; // the next widget asks again
        el.textContent = `${error.message} Run the cell again to go on from here.`;
      },
    );
    return () => {
      gone = true;
      stop();
    };
  },
};
