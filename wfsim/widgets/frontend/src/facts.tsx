import { useState } from "preact/hooks";

export interface VariableData {
  value: string;
  before: string;
  changed: boolean;
}
/** A list of what is pending: timers, mail, attempts, children, items. */
export interface SectionData {
  title: string;
  rows: { name: string; value: string }[];
}
/** A way that was gone, beside the others. */
export interface BranchData {
  id: number;
  name: string;
  current: boolean;
  /** The number of its first step that not all ways share. */
  first: number;
  steps: string[];
  where: string;
  time: string;
  values: Record<string, string>;
}

export function Variables({ title, variables }: { title: string; variables: Record<string, VariableData> }) {
  const rows = Object.entries(variables);
  if (!rows.length) return null;
  return (
    <table class="variables">
      <caption>{title}</caption>
      <tbody>
        {rows.map(([name, each]) => (
          <tr key={name} class={each.changed ? "changed" : ""}>
            <th scope="row">
              {each.changed && <span title="changed by this step">● </span>}
              {name}
            </th>
            <td>
              {each.changed && (
                <>
                  <del>{each.before}</del> →{" "}
                </>
              )}
              {each.value}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function Sections({ sections }: { sections: SectionData[] }) {
  return (
    <>
      {sections.map((section) => (
        <table key={section.title}>
          <caption>{section.title}</caption>
          <tbody>
            {section.rows.map((row) => (
              <tr key={row.name}>
                <th scope="row">{row.name}</th>
                <td>{row.value}</td>
              </tr>
            ))}
          </tbody>
        </table>
      ))}
    </>
  );
}

export function Breakpoints({ points, onToggle }: { points: string[]; onToggle(at: string): void }) {
  const [text, setText] = useState("");
  const add = (event: Event) => {
    event.preventDefault();
    if (text.trim()) onToggle(text.trim());
    setText("");
  };
  return (
    <details>
      <summary>Breakpoints ({points.length})</summary>
      <form class="row" onSubmit={add}>
        <label>
          stop at{" "}
          <input
            value={text}
            placeholder="state or context.n > 2"
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </label>
        <button type="submit">Add</button>
      </form>
      <ul class="actions">
        {points.map((each) => (
          <li key={each}>
            {each}
            <button type="button" aria-label={`Remove the breakpoint ${each}`} onClick={() => onToggle(each)}>
              Remove
            </button>
          </li>
        ))}
      </ul>
    </details>
  );
}

/** Ways that were gone from the same beginning, side by side; values are shown where they differ. */
export function Branches({ branches, onTake }: { branches: BranchData[]; onTake(id: number): void }) {
  if (branches.length < 2) return null;
  const names = [...new Set(branches.flatMap((each) => Object.keys(each.values)))];
  const differing = names.filter((name) => new Set(branches.map((each) => each.values[name])).size > 1);
  return (
    <table class="branches">
      <caption>What if: the ways that were gone</caption>
      <thead>
        <tr>
          <td />
          {branches.map((each) => (
            <th key={each.id} scope="col">
              {each.current ? (
                <strong>{each.name} (shown)</strong>
              ) : (
                <button type="button" onClick={() => onTake(each.id)}>
                  Go to {each.name}
                </button>
              )}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        <tr>
          <th scope="row">Steps</th>
          {branches.map((each) => (
            <td key={each.id}>
              <ol start={each.first}>
                {each.steps.map((step, k) => (
                  <li key={`${k} ${step}`}>{step}</li>
                ))}
              </ol>
            </td>
          ))}
        </tr>
        <tr>
          <th scope="row">Ends</th>
          {branches.map((each) => (
            <td key={each.id}>{each.where}</td>
          ))}
        </tr>
        <tr>
          <th scope="row">Time</th>
          {branches.map((each) => (
            <td key={each.id}>{each.time}</td>
          ))}
        </tr>
        {differing.map((name) => (
          <tr key={name} class="changed">
            <th scope="row">{name}</th>
            {branches.map((each) => (
              <td key={each.id}>{each.values[name]}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
