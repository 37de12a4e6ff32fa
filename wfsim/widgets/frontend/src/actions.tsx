export interface FieldData {
  name: string;
  type: string;
  required: boolean;
  value: string;
  choices: string[];
  only: boolean;
}
export interface ActionData {
  id: string;
  label: string;
  kind: string;
  enabled: boolean;
  reason: string;
  /** Where it can be clicked in the drawing. */
  at: string[];
  /** When a timer is due, and in how long. */
  due: string;
  rank: "next" | "later" | "operator";
  fields: FieldData[];
}
/** What a person has typed, by action and field. */
export type Typed = Record<string, Record<string, string>>;

interface Props {
  actions: ActionData[];
  typed: Typed;
  onTyped(typed: Typed): void;
  onFire(action: ActionData): void;
}

function Field({ field, value, onValue }: { field: FieldData; value: string; onValue(value: string): void }) {
  const kind = `${field.type}${field.required ? "" : ", optional"}`;
  const list = `wf-${field.name}-${field.choices.join("-")}`.replaceAll(/[^\w-]/g, "_");
  if (field.only) {
    return (
      <label title={kind}>
        {field.name}{" "}
        <select value={value} onChange={(event) => onValue(event.currentTarget.value)}>
          {!field.required && <option value="" />}
          {field.choices.map((each) => (
            <option key={each}>{each}</option>
          ))}
        </select>
      </label>
    );
  }
  return (
    <label title={kind}>
      {field.name}{" "}
      <input
        size={12}
        list={field.choices.length ? list : undefined}
        placeholder={kind}
        value={value}
        onInput={(event) => onValue(event.currentTarget.value)}
      />
      {field.choices.length > 0 && (
        <datalist id={list}>
          {field.choices.map((each) => (
            <option key={each} value={each} />
          ))}
        </datalist>
      )}
    </label>
  );
}

function Row({ action, typed, onTyped, onFire }: Omit<Props, "actions"> & { action: ActionData }) {
  const own = typed[action.id] ?? {};
  return (
    <li class={action.rank}>
      <button type="button" data-action={action.id} title={action.reason} onClick={() => onFire(action)}>
        {action.label}
      </button>
      {action.due && <small>{action.due}</small>}
      {action.fields.map((field) => (
        <Field
          key={field.name}
          field={field}
          value={own[field.name] ?? field.value}
          onValue={(value) => onTyped({ ...typed, [action.id]: { ...own, [field.name]: value } })}
        />
      ))}
    </li>
  );
}

/** What can happen: the next steps first, then what only time brings, the operator's, and folded why not the rest. */
export function Actions(props: Props) {
  const of = (rank: string) => props.actions.filter((each) => each.enabled && each.rank === rank);
  const refused = props.actions.filter((each) => !each.enabled && each.rank !== "operator");
  const operator = of("operator");
  const list = (actions: ActionData[]) => (
    <ul class="actions">
      {actions.map((action) => (
        <Row key={action.id} {...props} action={action} />
      ))}
    </ul>
  );
  const [next, later] = [of("next"), of("later")];
  return (
    <div class="possible">
      <p class="title">{next.length ? "Possible now" : "Nothing is possible now"}</p>
      <div data-next>{list(next)}</div>
      {later.length > 0 && (
        <>
          <p class="title">When time passes</p>
          {list(later)}
        </>
      )}
      <details hidden={operator.length === 0}>
        <summary>Operator ({operator.length})</summary>
        {list(operator)}
      </details>
      <details hidden={refused.length === 0}>
        <summary>Why not the others? ({refused.length})</summary>
        <dl>
          {refused.map((action) => (
            <div key={action.id}>
              <dt>{action.label}</dt>
              <dd>{action.reason}</dd>
            </div>
          ))}
        </dl>
      </details>
    </div>
  );
}
