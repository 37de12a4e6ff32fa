export interface FindingData {
  id: string;
  code: string;
  severity: string;
  text: string;
}
export interface VerdictData {
  name: string;
  status: string;
  reason: string;
  ids: string[];
}

const SIGNS: Record<string, string> = { holds: "✓", violated: "✗", unknown: "?", error: "!" };

interface VerdictsProps {
  verdicts: VerdictData[];
  stale: boolean;
  judging: boolean;
  /** What stale ones are on. */
  of: string;
}

/** The answers to the built-in questions, as badges; those of something earlier say so. */
export function Verdicts({ verdicts, stale, judging, of }: VerdictsProps) {
  return (
    <ul class={`verdicts${stale ? " stale" : ""}`} aria-label={stale ? `Verdicts on ${of}` : "Verdicts"}>
      {verdicts.map((each) => (
        <li key={each.name} class={each.status} title={each.reason}>
          {SIGNS[each.status]} {each.name}: {each.status}
        </li>
      ))}
      {stale && <li class="quiet">{judging ? "checking …" : `on ${of}`}</li>}
    </ul>
  );
}

interface WrongProps {
  missing: { id: string; text: string }[];
  findings: FindingData[];
  verdicts: VerdictData[];
  onSelect(id: string): void;
}

/** All that is wrong, each leading to where it is. */
export function Wrong({ missing, findings, verdicts, onSelect }: WrongProps) {
  const violated = verdicts.filter((each) => each.status === "violated");
  const rows = [
    ...missing.map((each) => ({ id: each.id, head: "missing", text: each.text })),
    ...findings.map((each) => ({ id: each.id, head: `${each.severity} ${each.code}`, text: each.text })),
    ...violated.map((each) => ({ id: each.ids[0] ?? "workflow", head: `violated ${each.name}`, text: each.reason })),
  ];
  return (
    <details open hidden={rows.length === 0}>
      <summary>What is wrong ({rows.length})</summary>
      <ul class="wrong">
        {rows.map((row) => (
          <li key={`${row.id} ${row.head} ${row.text}`}>
            <button type="button" onClick={() => onSelect(row.id)}>
              {row.head}
            </button>{" "}
            {row.text}
          </li>
        ))}
      </ul>
    </details>
  );
}
