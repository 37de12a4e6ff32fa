import type { Picture } from "./types.ts";

/** What a drawing shows, and what can be done there: as a picture and in words. */
export interface TwinProps {
  picture: Picture;
  label: string;
  /** Role of what is lit, by identifier. */
  lit?: Record<string, string>;
  /** What can happen at an element now, in words, by identifier. */
  live?: Record<string, string>;
  tokens?: Record<string, number>;
  onActivate?: (id: string) => void;
}

/** The drawing as a table, for those who read rather than look; what can happen is a button in it, too. */
export function Twin(props: TwinProps) {
  const { picture, lit = {}, live = {}, tokens = {} } = props;
  const names = new Map([...picture.nodes, ...picture.groups].map((each) => [each.id, each.label || each.id]));
  const leaving = new Set(picture.edges.map((edge) => edge.source));
  const groups = picture.groups.filter((group) => leaving.has(group.id)).map((group) => ({ ...group, lines: [] }));
  const rows = [...picture.nodes.filter((node) => node.shape !== "dot"), ...groups];
  const act = (id: string) => props.onActivate?.(id);
  return (
    <div class="twin">
      <table>
        <caption>{props.label}</caption>
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Now</th>
            <th scope="col">Leads to</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((node) => (
            <tr key={node.id} class={lit[node.id] ? "changed" : ""}>
              <th scope="row">
                {live[node.id] ? (
                  <button type="button" onClick={() => act(node.id)} title={live[node.id]}>
                    {node.label}
                  </button>
                ) : (
                  node.label
                )}
                {node.lines.length > 0 && <small> {node.lines.join("; ")}</small>}
              </th>
              <td>
                {(lit[node.id] ?? node.role).replaceAll("_", " ")}
                {tokens[node.id] !== undefined && `, ${tokens[node.id]} tokens`}
              </td>
              <td>
                <ul>
                  {picture.edges
                    .filter((edge) => edge.source === node.id)
                    .map((edge) => {
                      const words = [edge.label, ...edge.lines].join(" ");
                      return (
                        <li key={edge.id}>
                          {live[edge.id] ? (
                            <button type="button" onClick={() => act(edge.id)} title={live[edge.id]}>
                              {words}
                            </button>
                          ) : (
                            words
                          )}{" "}
                          → {names.get(edge.target)}
                        </li>
                      );
                    })}
                </ul>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
