import { render } from "preact";
import { Editor } from "./editor.tsx";
import { FlowMap } from "./flow_map.tsx";
import { Lab } from "./lab.tsx";
import { rules } from "./looks.ts";
import { type Recording, recorded } from "./recorded.ts";
import { Stepper } from "./stepper.tsx";
import type { Looks, Model } from "./types.ts";

declare const STYLE: string;

/** One entry per widget; `kind` of the Python side names it. */
const KINDS = { editor: Editor, flow_map: FlowMap, lab: Lab, stepper: Stepper };

/** Show a widget in `el`; gives what takes it away again. */
export function mount(model: Model, el: HTMLElement, looks: Looks): () => void {
  const Widget = KINDS[model.get("kind") as keyof typeof KINDS];
  const root = document.createElement("div");
  root.className = "wfsim-live";
  const style = document.createElement("style"); // inside, so that a shadow root (marimo) has it too
  style.textContent = STYLE + rules(looks);
  // Letters typed here are not commands of the notebook ("b" would insert a cell, "d d" delete one).
  root.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
  });
  el.replaceChildren(style, root);
  render(<Widget model={model} looks={looks} />, root);
  return () => render(null, root);
}

// A page that was saved holds a recording, and shows it without Python.
const saved = globalThis.document?.getElementById("wfsim-recording");
if (saved) {
  const recording = JSON.parse(saved.textContent) as Recording;
  mount(recorded(recording), document.getElementById("wfsim")!, recording.looks);
}
