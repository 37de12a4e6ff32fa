import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { Completing } from "./completing.tsx";
import { type FindingData, type VerdictData, Verdicts, Wrong } from "./judged.tsx";
import type { End } from "./shapes.tsx";
import { AS_YAML, Declared, type Names, Sheet, type SheetData } from "./sheet.tsx";
import { Drawn, Loading, Problem } from "./told.tsx";
import type { Looks, Model, Picture, Point } from "./types.ts";
import { useLink } from "./wire.ts";

/** What an editor shows; `wfsim.widgets.editor_wire` says it. */
interface Scene {
  title: string;
  head: { number: number; said: string; undo: string; redo: string; stale: boolean; judging: boolean };
  can: { edit: boolean };
  picture: Picture | null;
  too_large: string;
  /** Whether a person has put states anywhere. */
  placed: boolean;
  marks: Record<string, string>;
  missing: { id: string; text: string }[];
  findings: FindingData[];
  verdicts: VerdictData[];
  names: Names;
  sheet: SheetData;
  text: { yaml: string; problem: string } | null;
  mermaid: string | null;
}

const PATIENCE = 150;
/** By how much a state is moved with the keyboard, in pixels. */
const WAYS: Record<string, Point> = {
  ArrowLeft: [-16, 0],
  ArrowRight: [16, 0],
  ArrowUp: [0, -16],
  ArrowDown: [0, 16],
};
const isState = (id: string | null): id is string => id?.startsWith("state:") ?? false;
const isPlace = (id: string | null): id is string => id !== null && /^(state|region):/.test(id);
const isElement = (id: string | null): id is string => id !== null && /^(state|region|transition):/.test(id);
/** The state that something was dropped on; a region belongs to one. */
const stateAt = (id: string) => (id.startsWith("region:") ? `state:${nameOf(id).replace(/\/[^/]*$/, "")}` : id);
const nameOf = (id: string) => id.slice(id.indexOf(":") + 1);

/** What has the focus, inside a shadow root, too. */
const focusedIn = (root: HTMLElement) => (root.getRootNode() as Document | ShadowRoot).activeElement;

/** Copy to the clipboard; where that is not allowed the text is selected, to be copied by hand. */
async function copy(area: HTMLTextAreaElement): Promise<string> {
  area.select();
  try {
    await navigator.clipboard.writeText(area.value);
    return "Copied.";
  } catch {
    return "Selected: copy it with Ctrl+C.";
  }
}

export function Editor({ model, looks }: { model: Model; looks: Looks }) {
  const { scene, problem, busy, ask, refuse } = useLink<Scene>(model);
  const root = useRef<HTMLDivElement>(null);
  const mermaid = useRef<HTMLTextAreaElement>(null);
  /** Whether the focus goes to what was edited. */
  const follow = useRef(false);
  /** Whether the focus was in here last. */
  const had = useRef(false);
  const [naming, setNaming] = useState<string | null>(null);
  const [source, setSource] = useState<string | null>(null);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [copied, setCopied] = useState("");
  /** The field of the side panel that the last request came from, where its problem is told then. */
  const [beside, setBeside] = useState<string | null>(null);
  const number = scene?.head.number;
  useEffect(() => {
    if (!scene?.head.judging) return;
    const timer = setTimeout(() => ask("look"), PATIENCE);
    return () => clearTimeout(timer);
  }, [scene]);
  // After an edit of the drawing the focus is on what was edited; it is never left to the page.
  useLayoutEffect(() => {
    if (number === undefined) return;
    setNaming(null);
    setSource(null);
    setChosen(new Set());
    const within = root.current!;
    const focused = focusedIn(within);
    const lost = had.current && (focused === null || focused === document.body);
    if (!follow.current && !lost) return;
    follow.current = false;
    const find = (which: string) => within.querySelector<SVGElement>(which);
    (find(`svg [data-id="${CSS.escape(scene!.sheet.line ?? scene!.sheet.id)}"]`) ?? find('svg [tabindex="0"]'))?.focus({
      preventScroll: true,
    });
  }, [number]);
  const live = useMemo(() => {
    const found: Record<string, string> = {};
    for (const each of [...(scene?.picture?.nodes ?? []), ...(scene?.picture?.edges ?? [])])
      if (isElement(each.id)) found[each.id] = source ? "connect to it" : "rename";
    return found;
  }, [scene?.picture, source]);
  if (!scene) {
    return (
      <div ref={root} class="editor">
        <Loading />
      </div>
    );
  }
  const { head, sheet, names } = scene;
  const selected = sheet.id;
  const may = scene.can.edit;
  const edit = (operation: string, values: Record<string, string>) =>
    ask("edit", { operation, values, number: head.number });
  /** Say above the drawing why something cannot be done. */
  const tell = (why: string) => {
    setBeside(null);
    refuse(why);
  };
  /** An edit whose result gets the focus. */
  const draw = (operation: string, values: Record<string, string>) => {
    setBeside(null);
    follow.current = true;
    edit(operation, values);
  };
  const select = (id: string) => {
    if (id !== selected) ask("select", { element: id });
  };
  const add = (id: string | null = selected) => {
    if (id?.startsWith("region:")) draw("add_state", { inside: id });
    else draw("add_state", isState(id) ? { after: id } : {});
  };
  const connect = (from: string, at: string) => {
    const to = stateAt(at);
    setSource(null);
    if (isState(from) && isState(to)) draw("connect", { source: from, target: to });
    else tell("A transition leads from a state to a state.");
  };
  /** Of several transitions on one line it is the one that is selected. */
  const reconnect = (end: End, at: string) =>
    draw("reconnect", { transition: selected, source: sheet.source!, target: sheet.target!, [end]: stateAt(at) });
  const remove = (id: string | null = selected) => {
    if (id !== null && id !== "workflow") draw("delete", { element: id });
    else tell("Select what to delete: the workflow itself stays.");
  };
  const rename = (id: string | null = selected) => {
    if (isElement(id)) setNaming(id);
    else tell("Select a state, a region or a transition to rename in the drawing.");
  };
  const begin = (id: string | null = selected) => {
    if (isState(id)) setSource(id);
    else tell("Select the state to begin at.");
  };
  const choose = (id: string | null) => {
    if (!isState(id)) return;
    setChosen((old) => new Set(old.has(id) ? [...old].filter((each) => each !== id) : [...old, id]));
  };
  const nest = () => {
    const states = chosen.size ? [...chosen] : isState(selected) ? [selected] : [];
    if (states.length) draw("nest", { states: states.join("\n") });
    else tell("Choose states with Shift and a click, or with the key m.");
  };
  const history = (what: "undo" | "redo") => {
    setBeside(null);
    if (head[what]) ask(what);
    else tell(`There is nothing to ${what}.`);
  };
  /** Put a state where it stands now, moved by so much. */
  const shift = (id: string, [dx, dy]: Point) => {
    const things = scene.picture ? [...scene.picture.nodes, ...scene.picture.groups] : [];
    const box = things.find((each) => each.id === id)?.box;
    if (!box) return;
    ask("pin", { element: id, x: Math.round(box.x + dx), y: Math.round(box.y + dy) });
  };
  const key = (event: KeyboardEvent, id: string | null) => {
    const way = WAYS[event.key];
    if (may && event.ctrlKey && way && isPlace(id)) {
      shift(id, way);
      event.preventDefault();
      event.stopPropagation();
      return;
    }
    if (!may || event.ctrlKey || event.metaKey || event.altKey) return;
    const does: Record<string, () => void> = {
      n: () => add(id),
      c: () => begin(id),
      m: () => choose(id),
      r: nest,
      F2: () => rename(id),
      Enter: () => rename(id),
      Delete: () => remove(isElement(id) ? id : null),
      Escape: () => setSource(null),
    };
    const action = does[event.key];
    if (!action) return;
    action();
    event.preventDefault();
    event.stopPropagation();
  };
  const anywhere = (event: KeyboardEvent) => {
    const typing = (event.target as Element).closest("input, textarea, select");
    if (!may || typing || !(event.ctrlKey || event.metaKey)) return;
    const letter = event.key.toLowerCase();
    if (letter === "z") history(event.shiftKey ? "redo" : "undo");
    else if (letter === "y") history("redo");
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const named = (id: string) => {
    if (id.startsWith("transition:")) return scene.picture!.edges.find((each) => each.id === id)?.label ?? "";
    return id.slice(Math.max(id.lastIndexOf("/"), id.indexOf(":")) + 1);
  };
  /** Where a name is typed; a field above what gets it. */
  const field = naming && (
    <input
      class="renaming"
      aria-label={`New name of ${named(naming)}`}
      ref={(input) => {
        if (!input || input.dataset["ready"]) return;
        input.dataset["ready"] = "yes";
        input.focus({ preventScroll: true });
        input.select();
      }}
      defaultValue={named(naming)}
      onPointerDown={(event) => event.stopPropagation()}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key === "Enter") draw("rename", { element: naming, name: event.currentTarget.value });
        else if (event.key !== "Escape") return;
        const back = root.current!.querySelector<SVGElement>(`svg [data-id="${CSS.escape(naming)}"]`);
        setNaming(null);
        back?.focus({ preventScroll: true });
      }}
      onBlur={() => setNaming(null)}
    />
  );
  const told = source
    ? `Connect ${nameOf(source)} to …: arrows and Enter, or a click; Escape gives up.`
    : chosen.size
      ? `Chosen: ${[...chosen].map(nameOf).join(", ")}.`
      : head.said && `${head.said[0]!.toUpperCase()}${head.said.slice(1)}.`;
  const tab = (which: string, label: string, shown: boolean) => (
    <button type="button" aria-pressed={shown} onClick={() => ask("tab", { tab: shown ? "" : which })}>
      {label}
    </button>
  );
  const tool = (label: string, hint: string, enabled: boolean, act: () => void) => (
    <button type="button" title={hint} aria-disabled={!enabled} onClick={act}>
      {label}
    </button>
  );
  return (
    <div
      ref={root}
      class="editor"
      role="group"
      aria-label={`Editor of ${scene.title}`}
      aria-busy={busy}
      onKeyDown={anywhere}
      onFocusIn={() => {
        had.current = true;
      }}
      onFocusOut={(event) => {
        if (event.relatedTarget) had.current = root.current!.contains(event.relatedTarget as Node);
      }}
    >
      {may && (
        <div class="bar" role="toolbar" aria-label="Edit">
          {tool("Add state", "A state after the selected one (n)", true, () => add())}
          {tool("Connect", "From the selected state (c)", isState(selected), () => begin())}
          {tool("Rename", "F2", isElement(selected), () => rename())}
          {tool("Delete", "Delete", selected !== "workflow", () => remove())}
          {tool("Put into regions", "The chosen states (Shift and click, or m) (r)", true, nest)}
          {tool("Undo", `Undo: ${head.undo} (Ctrl+Z)`, Boolean(head.undo), () => history("undo"))}
          {tool("Redo", `Redo: ${head.redo} (Ctrl+Y)`, Boolean(head.redo), () => history("redo"))}
          {scene.placed && tool("Place anew", "Let the layout place all states", true, () => ask("unpin"))}
          {tool("Save", "To the file it came from, else as a download", true, () => ask("save"))}
          {tab("yaml", "YAML", scene.text !== null)}
          {tab("mermaid", "Mermaid", scene.mermaid !== null)}
        </div>
      )}
      <p class="head" role="status" aria-live="polite">
        <strong>{scene.title}</strong>
        <span class={`status${scene.missing.length ? " failed" : ""}`}>
          {scene.missing.length ? `${scene.missing.length} missing` : "valid"}
        </span>
        <span class="said">{told}</span>
      </p>
      <Problem text={beside === null ? problem : ""} />
      <div class="columns">
        <div class="drawings">
          <Drawn
            picture={scene.picture}
            tooLarge={scene.too_large}
            looks={looks}
            live={may ? live : {}}
            marks={scene.marks}
            selected={sheet.line ?? selected}
            chosen={chosen}
            frames
            label={`Drawing of ${scene.title}`}
            onSelect={(id, many) => {
              if (many) choose(id);
              else if (may && isElement(id) && !source) select(id);
            }}
            {...(may && {
              onOpen: (id: string) => rename(isElement(id) ? id : null),
              onConnect: connect,
              onReconnect: reconnect,
              onPin: (id: string, [x, y]: Point) =>
                isState(id) && ask("pin", { element: id, x: Math.round(x), y: Math.round(y) }),
              onKey: key,
            })}
            {...(source && { onActivate: (id: string) => connect(source, id) })}
            over={naming ? { id: naming, element: field } : null}
          />
          {/* Below, so that the drawing stays where it is when they come. */}
          <Verdicts verdicts={scene.verdicts} stale={head.stale} judging={head.judging} of="an earlier drawing" />
        </div>
        {may && (
          <div class="side">
            <Sheet
              sheet={sheet}
              names={names}
              problem={beside === null ? "" : problem}
              at={beside ?? ""}
              onEdit={(operation, values, at) => {
                setBeside(at);
                edit(operation, values);
              }}
              onSelect={select}
              onProperties={(text) => {
                setBeside(AS_YAML);
                ask("properties", { element: selected, text, number: head.number });
              }}
            />
            <p class="title">Declared</p>
            <div class="bar">
              <button type="button" aria-pressed={selected === "workflow"} onClick={() => select("workflow")}>
                The workflow
              </button>
            </div>
            {(["event", "variable", "activity", "type"] as const).map((kind) => (
              <Declared
                key={kind}
                kind={kind}
                names={
                  { event: names.declared, variable: names.variables, activity: names.activities, type: names.types }[
                    kind
                  ]
                }
                selected={selected}
                onSelect={select}
                problem={beside === `declare ${kind}` ? problem : ""}
                onDeclare={(name) => {
                  setBeside(`declare ${kind}`);
                  edit("declare", { kind, name });
                }}
              />
            ))}
            <Wrong missing={scene.missing} findings={scene.findings} verdicts={scene.verdicts} onSelect={select} />
          </div>
        )}
      </div>
      {scene.text && (
        <section aria-label="YAML of the workflow">
          <Completing
            label="The workflow as YAML"
            text={scene.text.yaml}
            problem={scene.text.problem}
            keys={sheet.keys}
            words={[...names.states.map(named), ...names.events]}
            rows={18}
            onApply={(text) => ask("text", { text })}
          />
        </section>
      )}
      {scene.mermaid !== null && (
        <section aria-label="The workflow for Mermaid">
          <textarea ref={mermaid} aria-label="Mermaid" readOnly rows={12} value={scene.mermaid} />
          <div class="bar">
            <button type="button" onClick={() => copy(mermaid.current!).then(setCopied)}>
              Copy as Mermaid
            </button>
            <span role="status">{copied}</span>
          </div>
        </section>
      )}
    </div>
  );
}
