import type { ComponentChildren } from "preact";
import { useId, useState } from "preact/hooks";
import { Completing } from "./completing.tsx";
import { Problem } from "./told.tsx";
import { useTyped } from "./typed.ts";

/** What is selected; `wfsim.widgets.editor_wire` says it. Some fields are of some kinds only. */
export interface SheetData {
  id: string;
  kind: string;
  name: string;
  yaml: string;
  keys: { key: string; means: string }[];
  initial?: boolean;
  outcome?: string;
  timeout?: string;
  activity?: string;
  within?: string;
  works?: boolean;
  /** The line that shows a transition. */
  line?: string;
  source?: string;
  target?: string;
  /** The states that a transition can lead between. */
  ends?: string[];
  event?: string;
  after?: string;
  at?: string;
  condition?: string;
  also?: { id: string; label: string }[];
}
export interface Names {
  states: string[];
  regions: string[];
  /** All that can set a transition off; `declared` are those that others send. */
  events: string[];
  declared: string[];
  variables: string[];
  activities: string[];
  types: string[];
  functions: string[];
}
/** `at`: the label of the field that it comes from. */
export type Edit = (operation: string, values: Record<string, string>, at: string) => void;
export const AS_YAML = "as YAML";

interface Props {
  sheet: SheetData;
  names: Names;
  /** Why the last request from here could not be met, and the label of the field that it came from. */
  problem: string;
  at: string;
  onEdit: Edit;
  onProperties(text: string): void;
  onSelect(id: string): void;
}

interface RowProps {
  label: string;
  /** The key that it stands for. */
  of: string;
  within: Props;
  children: ComponentChildren;
}

/** A field with its label, what it means as a hint, and below it why what was typed cannot be. */
function Row({ label, of, within: { sheet, at, problem }, children }: RowProps) {
  return (
    <>
      {/* biome-ignore lint/a11y/noLabelWithoutControl: it is among the children */}
      <label class="field" title={sheet.keys.find((each) => each.key === of)?.means}>
        <span>{label}</span>
        {children}
      </label>
      <Problem text={at === label ? problem : ""} />
    </>
  );
}

interface FieldProps extends Omit<RowProps, "children"> {
  value: string;
  hint?: string;
  words?: string[];
  onCommit(value: string): void;
}

/** A field that counts when it is left or Enter is pressed; Escape takes back what was typed. */
function Field({ value, hint, words, onCommit, ...row }: FieldProps) {
  const { typed, type, send, back } = useTyped(value);
  const list = useId();
  const commit = () => {
    if (typed === value) return;
    const meant = typed.trim();
    type(meant);
    send(meant);
    onCommit(meant);
  };
  return (
    <Row {...row}>
      <input
        value={typed}
        placeholder={hint}
        list={words && list}
        aria-invalid={row.within.at === row.label && row.within.problem !== ""}
        onInput={(event) => type(event.currentTarget.value)}
        onBlur={commit}
        onKeyDown={(event) => {
          if (event.key === "Enter") commit();
          else if (event.key === "Escape") back();
        }}
      />
      {words && (
        <datalist id={list}>
          {words.map((word) => (
            <option key={word} value={word} />
          ))}
        </datalist>
      )}
    </Row>
  );
}

const last = (id: string) => id.slice(id.indexOf(":") + 1);
const plain = (id: string) => id.slice(Math.max(id.lastIndexOf("/"), id.indexOf(":")) + 1);

function StateFields(props: Props) {
  const { sheet, names, onEdit } = props;
  const state = sheet.id;
  return (
    <>
      <div class="field">
        <span>begins here</span>
        <button
          type="button"
          aria-pressed={sheet.initial}
          onClick={() => !sheet.initial && onEdit("make_initial", { state }, "begins here")}
        >
          {sheet.initial ? "Initial" : "Make initial"}
        </button>
      </div>
      <Row label="ends here" of="is_terminal" within={props}>
        <select
          value={sheet.outcome}
          onChange={(event) => onEdit("set_terminal", { state, outcome: event.currentTarget.value }, "ends here")}
        >
          <option value="">no</option>
          <option value="success">as a success</option>
          <option value="failure">as a failure</option>
        </select>
      </Row>
      <Field
        label="timeout"
        of="timeout"
        within={props}
        hint="2d"
        value={sheet.timeout ?? ""}
        onCommit={(timeout) => onEdit("set_timeout", { state, timeout }, "timeout")}
      />
      {!sheet.works && (
        <Field
          label="runs activity"
          of="activity"
          within={props}
          value={sheet.activity ?? ""}
          words={names.activities}
          onCommit={(activity) => onEdit("set_work", { state, activity }, "runs activity")}
        />
      )}
      <Row label="stands in" of="" within={props}>
        <select
          value={sheet.within}
          onChange={(event) => onEdit("move", { state, into: event.currentTarget.value }, "stands in")}
        >
          {names.regions
            .filter((each) => !last(each).startsWith(`${last(state)}/`))
            .map((each) => (
              <option key={each} value={each}>
                {each === "workflow" ? "the workflow" : last(each)}
              </option>
            ))}
        </select>
      </Row>
      <div class="bar">
        <button type="button" onClick={() => onEdit("add_region", { state }, "stands in")}>
          Add a region
        </button>
      </div>
    </>
  );
}

function TransitionFields(props: Props) {
  const { sheet, names, onEdit, onSelect } = props;
  const now = {
    event: sheet.event ?? "",
    after: sheet.after ?? "",
    at: sheet.at ?? "",
    condition: sheet.condition ?? "",
  };
  const ends = { source: sheet.source ?? "", target: sheet.target ?? "" };
  const end = (label: string, which: "source" | "target") => (
    <Row label={label} of={label} within={props}>
      <select
        value={ends[which]}
        onChange={(event) =>
          onEdit("reconnect", { transition: sheet.id, ...ends, [which]: event.currentTarget.value }, label)
        }
      >
        {which === "target" && <option value="">nowhere: nothing is left</option>}
        {sheet.ends?.map((each) => (
          <option key={each} value={each}>
            {plain(each)}
          </option>
        ))}
      </select>
    </Row>
  );
  const set = (change: Partial<typeof now>, at: string) =>
    onEdit("set_trigger", { transition: sheet.id, ...now, ...change }, at);
  return (
    <>
      {(sheet.also?.length ?? 0) > 1 && (
        <div class="bar" role="group" aria-label="Transitions on this line">
          {sheet.also!.map((each) => (
            <button key={each.id} type="button" aria-pressed={each.id === sheet.id} onClick={() => onSelect(each.id)}>
              {each.label}
            </button>
          ))}
        </div>
      )}
      {end("from", "source")}
      {end("to", "target")}
      <Field
        label="on event"
        of="event"
        within={props}
        value={now.event}
        words={names.events}
        onCommit={(event) => set({ event, after: "", at: "" }, "on event")}
      />
      <Field
        label="after"
        of="after"
        within={props}
        hint="2h"
        value={now.after}
        onCommit={(after) => set({ after, ...(after ? { event: "", at: "" } : {}) }, "after")}
      />
      <Field
        label="at"
        of="at"
        within={props}
        hint="${context.appointment}"
        value={now.at}
        onCommit={(at) => set({ at, ...(at ? { event: "", after: "" } : {}) }, "at")}
      />
      <Field
        label="if"
        of="condition"
        within={props}
        hint="context.count < 3"
        value={now.condition}
        words={inExpressions(names)}
        onCommit={(condition) => set({ condition }, "if")}
      />
    </>
  );
}

/** What an expression may begin with: variables, and functions in Python with their open bracket. */
function inExpressions(names: Names): string[] {
  return [...names.variables.map((name) => `context.${name}`), ...names.functions.map((name) => `functions.${name}(`)];
}

/** All that is selected says: common things as fields, everything as YAML. */
export function Sheet(props: Props) {
  const { sheet, names, onEdit } = props;
  const words = [
    ...names.states.map(plain),
    ...names.events,
    ...names.activities,
    ...inExpressions(names),
    ...names.variables,
    "event.",
  ];
  return (
    <section class="sheet" aria-label={`${sheet.kind} ${sheet.name}`}>
      <p class="title">
        {sheet.kind} {sheet.name}
      </p>
      {sheet.kind !== "transition" && (
        <Field
          label="name"
          of="name"
          within={props}
          value={sheet.name}
          onCommit={(name) => onEdit("rename", { element: sheet.id, name }, "name")}
        />
      )}
      {sheet.kind === "state" && <StateFields key={sheet.id} {...props} />}
      {sheet.kind === "transition" && <TransitionFields key={sheet.id} {...props} />}
      <p class="title">{AS_YAML}</p>
      <Completing
        key={sheet.id}
        label={`${sheet.kind} ${sheet.name} as YAML`}
        text={sheet.yaml}
        problem={props.at === AS_YAML ? props.problem : ""}
        keys={sheet.keys}
        words={[...new Set(words)]}
        rows={Math.min(14, Math.max(4, sheet.yaml.split("\n").length))}
        onApply={props.onProperties}
      />
      <details>
        <summary>What the keys mean</summary>
        <dl>
          {sheet.keys.map(({ key, means }) => (
            <div key={key}>
              <dt>{key}</dt>
              <dd>{means}</dd>
            </div>
          ))}
        </dl>
      </details>
    </section>
  );
}

/** What is declared, to be selected, and a field to declare more. */
export function Declared({
  kind,
  names,
  selected,
  problem,
  onSelect,
  onDeclare,
}: {
  kind: string;
  problem: string;
  names: string[];
  selected: string;
  onSelect(id: string): void;
  onDeclare(name: string): void;
}) {
  const [typed, setTyped] = useState("");
  const declare = () => {
    if (typed.trim()) onDeclare(typed.trim());
    setTyped("");
  };
  return (
    <div class="bar" role="group" aria-label={`Declared: ${kind}`}>
      <span class="quiet">{kind}</span>
      {names.map((name) => (
        <button
          key={name}
          type="button"
          aria-pressed={selected === `${kind}:${name}`}
          onClick={() => onSelect(`${kind}:${name}`)}
        >
          {name}
        </button>
      ))}
      <input
        size={9}
        aria-label={`Declare a new ${kind}`}
        placeholder="new …"
        value={typed}
        onInput={(event) => setTyped(event.currentTarget.value)}
        onKeyDown={(event) => event.key === "Enter" && declare()}
      />
      <Problem text={problem} />
    </div>
  );
}
