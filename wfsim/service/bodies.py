"""What requests and answers say, with an example of each: from these the OpenAPI file is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from wfsim.runtime.groups import HIGHEST
from wfsim.runtime.listing import MOST_LISTED
from wfsim.runtime.sending import LONGEST_ID

if TYPE_CHECKING:
    from pydantic.config import JsonDict

Id = Annotated[str, Field(min_length=1, max_length=LONGEST_ID)]
NewId = Annotated[
    str,
    Field(min_length=1, max_length=LONGEST_ID, pattern=r"^\.{3,}$|[^.]", description="not `.` or `..`"),
]
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_ID)]
Micros = Annotated[int, Field(description="microseconds since 1970-01-01T00:00:00Z")]
Metadata = Annotated[dict[str, JsonValue] | None, Field(description="Stored beside the record; no condition sees it.")]


def _with(example: JsonDict) -> ConfigDict:
    return ConfigDict(extra="forbid", json_schema_extra={"example": example})


class Body(BaseModel):
    """What is sent: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class Problem(BaseModel):
    """Why something was not done (RFC 9457)."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "example": {
                "type": "urn:wfsim:problem:event_rejected",
                "title": "Event rejected",
                "status": 409,
                "detail": "'order-1' rejected 'pay': Transition 'created → paid' is not taken: its condition is false.",
                "code": "event_rejected",
                "advice": "Ask POST /v1/instances/{id}/why-not.",
                "event": "pay",
                "reason": "condition",
                "request": "5f0c7d1e9a3b4c6d",
            }
        },
    )

    type: str
    title: str
    status: int
    detail: str
    code: str = Field(description="What programs decide by.")
    advice: str
    request: str | None = Field(None, description="The id of the request, as in the header X-Request-Id.")


# --- definitions ---------------------------------------------------------------------------------


class Definition(Body):
    """A definition, in YAML or as JSON."""

    model_config = _with(
        {
            "definition": "name: door\ninitial_state: shut\nevents: {open: {}}\n"
            "states: [{name: shut}, {name: ajar, is_terminal: true}]\n"
            "transitions: [{from: shut, event: open, to: ajar}]\n"
        }
    )

    definition: str | dict[str, JsonValue]


class ToPublish(Definition):
    """A definition, and what is to speak for it before it is published."""

    lint: Literal["error", "warning"] | None = Field(
        None, description="Publish it only if lint finds nothing as bad as this, or worse."
    )
    verify: bool = Field(False, description="Publish it only if no built-in property is violated.")
    max_seconds: float = Field(2.0, gt=0, le=10, description="For each property.")


class ToValidate(Definition):
    """A definition to be looked at, and whether its properties shall be verified too."""

    verify: bool = Field(False, description="Verify the built-in properties, one after the other.")
    max_seconds: float = Field(2.0, gt=0, le=10, description="For each property.")


class Published(Body):
    """A version of a workflow."""

    name: str
    version: str
    definition: str = Field(description="in YAML")
    events: dict[str, dict[str, str]] = Field(description="what may be sent: events, with the types of their payload")
    is_latest: bool


class Versions(Body):
    """A workflow and its versions, the newest last."""

    name: str
    versions: list[str]
    latest: str


class Definitions(Body):
    """All workflows."""

    definitions: list[Versions]


class FindingBody(Body):
    """What lint found."""

    code: str
    severity: str
    place: str
    message: str
    advice: str
    line: int | None = None
    way: list[str] = Field(default_factory=list, description="Transitions from the start to there")


class VerdictBody(Body):
    """Whether a property holds."""

    property: str
    status: Literal["holds", "violated", "unknown", "error"]
    reason: str


class Validated(Body):
    """What is to be said of a definition."""

    name: str
    version: str
    ok: bool = Field(description="lint finds no error, and no property that was asked for is violated")
    findings: list[FindingBody]
    verdicts: list[VerdictBody] | None = None


# --- instances -----------------------------------------------------------------------------------


class ToStart(Body):
    """What is to be started."""

    model_config = _with({"workflow": "door", "id": "door-1", "input": {}, "metadata": {"ticket": 7}})

    workflow: Name
    id: NewId | None = Field(None, description="Default: the workflow and a number.")
    version: Name | None = Field(None, description="Which versions fit: `>=1.2, <2.0`; default: the newest.")
    input: dict[str, JsonValue] = Field(default_factory=dict)
    seed: int | None = Field(None, ge=0, lt=2**63, description="Makes its random draws repeatable.")
    metadata: Metadata = None
    priority: int = Field(
        0,
        ge=-HIGHEST,
        le=HIGHEST,
        strict=True,
        description="Of its attempts, where several wait in a queue: high first.",
    )


class Short(Body):
    """An instance in a list."""

    id: str
    workflow: str
    definition_version: str
    status: str
    state: str
    outcome: str | None
    parent: str | None
    key: JsonValue = Field(description="its correlation key; null once it is closed")
    version: int = Field(description="how many records it has")
    started: Micros
    changed: Micros


class Instances(Body):
    """A page of instances; `after` asks for the next one."""

    instances: list[Short]
    after: str | None


class ToList(BaseModel):
    """Which instances are wanted, and the page."""

    workflow: str | None = Field(None, max_length=LONGEST_ID)
    status: list[str] = Field(default_factory=list, max_length=10, description="`open`, or statuses")
    state: str | None = Field(None, max_length=1_000)
    prefix: str | None = Field(None, max_length=LONGEST_ID, description="what ids begin with")
    key: str | None = Field(
        None,
        max_length=10_000,
        description="correlation key of those that are open: JSON, or a text that is none",
    )
    where: str | None = Field(
        None,
        max_length=10_000,
        description="values of searchable variables: a JSON object",
        examples=['{"customer": "C-7"}'],
    )
    roots: bool = Field(False, description="leave out those that another one has started")
    limit: int = Field(100, ge=1, le=MOST_LISTED)
    after: str | None = Field(None, max_length=1_000, description="what the page before gave as `after`")


class ActivityBody(Body):
    """An activity that has not ended."""

    activity: str
    activity_id: int
    attempt: int
    phase: str
    region: str
    detail: JsonValue
    index: int | None
    correlation_id: str = Field(description="names the attempt to whoever completes it from outside")


class TimerBody(Body):
    """A timer that has yet to fire."""

    place: int
    id: int
    name: str
    due: Micros
    region: str | None
    activity_id: int | None


class InstanceBody(Short):
    """An instance as it stands."""

    model_config = _with(
        {
            "id": "door-1",
            "workflow": "door",
            "definition_version": "1.0.0",
            "status": "running",
            "state": "shut",
            "outcome": None,
            "parent": None,
            "key": None,
            "version": 2,
            "started": 1796023246553847,
            "changed": 1796023246553847,
            "is_closed": False,
            "is_idle": True,
            "configuration": {"": "shut"},
            "variables": {},
            "output": None,
            "activities": [],
            "timers": [],
            "waiting": [],
        }
    )

    is_closed: bool
    is_idle: bool = Field(description="nobody works on it or its children, and no event waits")
    configuration: dict[str, str] = Field(description="the active state of each region; '' is the workflow's own")
    variables: dict[str, JsonValue]
    output: dict[str, JsonValue] | None
    activities: list[ActivityBody]
    timers: list[TimerBody]
    waiting: list[str] = Field(description="events that wait for a busy region or a pause, or are deferred")


class RecordBody(Body):
    """A record of an instance's history; docs/meaning.md has them all."""

    kind: str
    seq: int
    time: Micros
    cause_seq: int
    region: str | None = None
    state: str | None = None
    to_state: str | None = None
    event: str | None = None
    event_id: str | None = None
    activity: str | None = None
    activity_id: int | None = None
    attempt: int | None = None
    error_type: str | None = None
    status: str | None = None
    outcome: str | None = None
    payload: dict[str, JsonValue] = Field(default_factory=dict)
    metadata: dict[str, JsonValue] | None = None


class Records(Body):
    """A page of records; `after` asks for the next one."""

    records: list[RecordBody]
    after: int | None


class ToSend(Body):
    """An event."""

    model_config = _with({"event": "open", "payload": {}, "event_id": "e-1"})

    event: Name
    payload: dict[str, JsonValue] = Field(default_factory=dict)
    event_id: Id | None = Field(None, description="The same id twice is applied once. Default: the Idempotency-Key.")
    metadata: Metadata = None


class Sent(Body):
    """What has become of an event or a command, and where the instance stood then."""

    model_config = _with({"answer": "accepted", "fate": "taken", "state": "ajar", "version": 4})

    answer: str = Field(description="accepted, waiting, deferred, discarded or duplicate; of commands also ignored")
    fate: str = Field(description="of the first with this id")
    state: str | None = Field(description="the active state of the workflow")
    version: int | None = Field(description="how many records it has, as its ETag says")


CommandName = Literal["pause", "resume", "cancel", "terminate", "retry"]


class ToCommand(Body):
    """A command."""

    model_config = _with({"command": "pause", "reason": "stock-taking"})

    command: CommandName
    reason: str | None = Field(None, max_length=2_000)
    command_id: Id | None = Field(None, description="The same id twice is applied once. Default: the Idempotency-Key.")
    metadata: Metadata = None


class ToCommandAll(ToCommand):
    """A command to several instances."""

    model_config = _with({"command": "cancel", "ids": ["door-1", "door-2"], "reason": "the house is sold"})

    ids: list[Id] = Field(min_length=1, max_length=1_000)


class SentAll(Body):
    """What has become of a command, by instance; `missing` where there is none."""

    results: dict[str, Sent]


class ToExplain(Body):
    """An event or a state, and the event's payload if it is known."""

    model_config = _with({"name": "open"})

    name: Name
    payload: dict[str, JsonValue] | None = None


class Explained(Body):
    """Why it can or cannot happen now."""

    model_config = _with(
        {"name": "open", "possible": True, "reasons": ["Transition 'shut → ajar on open' would be taken."]}
    )

    name: str
    possible: bool
    reasons: list[str]


# --- activities ----------------------------------------------------------------------------------


class ToComplete(Body):
    """The result of an activity that returned `context.later()`."""

    model_config = _with({"correlation_id": "order-1:3:1", "result": {"receipt": "r-7"}})

    correlation_id: Id
    result: JsonValue = None


class ToFail(Body):
    """That such an activity has failed."""

    model_config = _with({"correlation_id": "order-1:3:1", "error_type": "Card.Declined", "message": "no money"})

    correlation_id: Id
    error_type: Name
    message: str | None = Field(None, max_length=2_000)
    retry_after: float | None = Field(None, ge=0, le=3_200_000_000, description="seconds")


class ToBeat(Body):
    """That the work on such an activity goes on."""

    model_config = _with({"correlation_id": "order-1:3:1", "detail": {"done": 0.4}})

    correlation_id: Id
    detail: JsonValue = None


class ExecutionBody(Body):
    """An attempt of an activity; `outcome` is null until it has ended."""

    model_config = _with(
        {
            "correlation_id": "order-1:3:1",
            "idempotency_key": "order-1:3",
            "instance": "order-1",
            "activity": "charge",
            "version": None,
            "activity_id": 3,
            "attempt": 1,
            "state": "charging",
            "worker": "db-1-4711",
            "input": {"total": 3},
            "output": {"receipt": "r-7"},
            "scheduled": 1796023246553847,
            "started": 1796023246601122,
            "ended": 1796023247113004,
            "outcome": "succeeded",
            "error_type": None,
            "message": None,
        }
    )

    correlation_id: str
    idempotency_key: str = Field(description="equal for all attempts of the activity")
    instance: str
    activity: str
    version: JsonValue = Field(description="of the activity, if it has one")
    activity_id: int
    attempt: int
    state: str | None
    worker: str | None
    input: dict[str, JsonValue]
    output: JsonValue
    scheduled: Micros
    started: Micros | None
    ended: Micros | None
    outcome: Literal["succeeded", "failed", "timed_out", "cancelled"] | None
    error_type: str | None
    message: str | None


class Completed(Body):
    """Whether somebody waited for it: `accepted` or `ignored`."""

    answer: str


# --- webhooks ------------------------------------------------------------------------------------

Names = Annotated[list[Name] | None, Field(min_length=1, max_length=1_000)]


class ToRegister(Body):
    """Who is to be told what; without a list of workflows, kinds of records or events: of all."""

    model_config = _with({"url": "https://shop.example/hooks/wfsim", "kinds": ["instance_closed"]})

    url: str = Field(min_length=1, max_length=8_000)
    workflows: Names = None
    kinds: Annotated[Names, Field(description="of records: `instance_closed`")] = None
    events: Names = None
    secret: str | None = Field(None, max_length=200, description="whsec_ and Base64 of 24 to 64 bytes. Default: new.")
    retry_for: str = Field("3d", max_length=20, description="How long a message is tried again.")


class EndpointBody(Body):
    """Who is told; `off` says why it is told nothing any more."""

    id: str
    url: str
    workflows: list[str] | None
    kinds: list[str] | None
    events: list[str] | None
    retry_for: int = Field(description="microseconds")
    created: Micros
    off: str | None


class Registered(EndpointBody):
    """Who is told, and what messages are signed with, which is not shown again."""

    secret: str


class Endpoints(Body):
    """All of them, in order of their registration."""

    webhooks: list[EndpointBody]


class DeliveryBody(Body):
    """A message, and what has become of it."""

    number: int
    endpoint: str
    instance: str
    seq: int
    kind: str
    status: Literal["waiting", "delivered", "dead"]
    tries: int
    created: Micros
    due: Annotated[Micros, Field(description="when it is tried next, if it waits")]
    changed: Micros
    told: str | None = Field(description="what came of the last try")


class Deliveries(Body):
    """The newest first; `after` asks for those before."""

    deliveries: list[DeliveryBody]
    after: int | None


class ToRepeat(Body):
    """Which message is to be sent again; without a number all that are dead."""

    model_config = _with({"number": 17})

    number: int | None = Field(None, ge=1, lt=2**62)


class Repeated(Body):
    """How many messages are sent again."""

    repeated: int


# --- drawing -------------------------------------------------------------------------------------


class GraphNode(Body):
    """A state; of an instance also whether it is there, and how often it has come."""

    id: str = Field(description="its path: fulfil/pick/packed")
    label: str
    region: str = Field(description="path of its region; empty for the root")
    initial: bool
    terminal: bool
    outcome: str | None = None
    timeout: str | None = None
    work: str | None = Field(None, description="what it does: an activity, a workflow, or `parallel`")
    active: bool | None = None
    visits: int | None = None


class GraphEdge(Body):
    """A transition; of an instance also how often it was taken."""

    id: int = Field(description="its number, as in records")
    source: str
    target: str
    label: str
    internal: bool
    has_condition: bool
    has_actions: bool
    event: str | None = None
    after: str | None = None
    at: str | None = None
    condition: str | None = None
    taken: int | None = None


class Graph(Body):
    """States and transitions, for whoever draws them."""

    workflow: str
    version: str
    nodes: list[GraphNode]
    edges: list[GraphEdge]


# --- operation -----------------------------------------------------------------------------------


class WorkerBody(Body):
    """A process that works; `groups`: whose activities (null: all), `silent`: microseconds without a sign of life."""

    id: str
    host: str | None
    process: int | None
    groups: list[str] | None
    activities: list[str]
    attempts: int
    started: Micros
    silent: int
    is_gone: bool


class Workers(Body):
    """All of them."""

    workers: list[WorkerBody]


class QueueBody(Body):
    """Attempts that wait for the workers of a group, are carried out, and come later; and the limits of the queue."""

    group: str
    queued: int
    running: int
    later: int
    concurrency: int | None
    worker_concurrency: int | None
    rate: str | None = Field(description="starts within a time: `10/1m`")


class Queues(Body):
    """All of them."""

    queues: list[QueueBody]


class DueBody(Body):
    """Something that happens by itself."""

    number: int
    target: str
    kind: str
    due: Micros
    overdue: bool


class Dues(Body):
    """The next ones, in order."""

    due: list[DueBody]


class ScheduleBody(Body):
    """A schedule of a workflow in its newest version, and when it comes next."""

    workflow: str
    version: str
    schedule: str
    told: str
    next: list[str]


class Schedules(Body):
    """All of them."""

    schedules: list[ScheduleBody]


class Rows(Body):
    """Rows of a view; docs/views.md says what its columns mean. Durations and times are microseconds."""

    model_config = _with({"rows": [{"workflow": "door", "path": "shut → ajar", "cases": 41, "share": 0.98}]})

    rows: list[dict[str, Any]]


class AuditEntry(Body):
    """Who did what, or tried to."""

    number: int
    time: Micros
    key: str
    name: str
    role: str
    method: str
    path: str
    status: int
    request: str


class Audit(Body):
    """The newest first; `after` asks for those before."""

    entries: list[AuditEntry]
    after: int | None


class CallerBody(Body):
    """Whose key it is."""

    key: str
    name: str
    role: str
    namespace: str


class Health(Body):
    """How the service is."""

    status: Literal["ok", "stopped"]
    detail: str | None = None
