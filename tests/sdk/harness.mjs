// Calls the official SDK against the server at TRIGGER_API_URL and prints what it understood, as one JSON document.
// Anything the SDK throws (a schema that does not fit above all) ends it with exit code 1.
import { batch, deployments, query, queues, runs, schedules, wait } from "@trigger.dev/sdk";

const known = JSON.parse(process.env.HARNESS ?? "{}");
const told = {};

/** All items of an auto-paginated list. */
async function all(pages) {
  const items = [];
  for await (const item of pages) items.push(item);
  return items;
}

const reading = {
  async runs() {
    return (await all(runs.list({ limit: 10 }))).map((run) => run.id);
  },
  async open() {
    const status = ["DELAYED", "PENDING_VERSION", "QUEUED", "DEQUEUED", "EXECUTING", "WAITING"];
    return (await all(runs.list({ status, limit: 10 }))).map((run) => [run.id, run.status]);
  },
  async filtered() {
    const filter = { taskIdentifier: [known.task], from: new Date(known.from), isTest: false, limit: 20 };
    return (await all(runs.list(filter))).map((run) => run.taskIdentifier);
  },
  async queueFilter() {
    return (await all(runs.list({ queue: [{ type: "custom", name: known.queue }], limit: 50 }))).length;
  },
  async pages() {
    const first = await runs.list({ limit: 5 });
    const second = await first.getNextPage();
    const back = await second.getPreviousPage();
    return { first: first.data.map((r) => r.id), second: second.data.map((r) => r.id), back: back.data.map((r) => r.id) };
  },
  async statuses() {
    const statuses = {};
    for (const id of known.retrieve) {
      const run = await runs.retrieve(id);
      statuses[id] = [run.status, run.attemptCount, run.createdAt.getTime()];
    }
    return statuses;
  },
  async missing() {
    try {
      await runs.retrieve("run_doesnotexist", { retry: { maxAttempts: 1 } });
    } catch (error) {
      return error.status;
    }
    return "found";
  },
  async queues() {
    return (await all(queues.list({ perPage: 2 }))).map((queue) => [queue.type, queue.name, queue.queued, queue.running]);
  },
  async queue() {
    const byId = await queues.retrieve(known.queueId);
    const byTask = await queues.retrieve({ type: "task", name: known.task });
    const slashed = await queues.retrieve({ type: "custom", name: known.slashed });
    return [byId.name, byTask.name, slashed.name];
  },
  async batch() {
    const found = await batch.retrieve(known.batch);
    return [found.status, found.runCount];
  },
  async schedules() {
    const found = await all(schedules.list({ perPage: 2 }));
    const one = await schedules.retrieve(found[0].id);
    return [found.map((schedule) => schedule.id), one.task, (await schedules.timezones()).timezones.length > 100];
  },
  async deployments() {
    const found = await all(deployments.list({ limit: 5 }));
    return [found.map((deployment) => deployment.version), (await deployments.retrieveCurrent()).version];
  },
  async tokens() {
    const found = await all(wait.listTokens({ limit: 2 }));
    const one = await wait.retrieveToken(found[0].id);
    return [found.map((token) => token.status), one.id];
  },
  async query() {
    const { results } = await query.execute("SELECT status, count() AS n FROM runs GROUP BY status ORDER BY n DESC");
    return Object.fromEntries(results.map((row) => [row.status, row.n]));
  },
};

/** The status that a call ends with, at most two tries. */
async function ending(call) {
  try {
    await call({ retry: { maxAttempts: 2, minTimeoutInMs: 10, maxTimeoutInMs: 10 } });
  } catch (error) {
    return error.status;
  }
  return "found";
}

// What the SDK does where the server is not at its best.
const patience = {
  async emptyMiddlePage() {
    return (await all(runs.list({ status: ["EXECUTING"], limit: 20 }))).map((run) => run.id);
  },
  async missing() {
    return {
      retried: await ending((options) => runs.retrieve("run_doesnotexist", options)),
      final: await ending((options) => deployments.retrieveCurrent(options)),
      untold: await ending((options) => queues.retrieve({ type: "custom", name: "none" }, options)),
    };
  },
  async throttled() {
    const seen = [];
    for (let turn = 0; turn < 12; turn++) seen.push((await queues.list()).data.length);
    return seen;
  },
};

for (const [name, step] of Object.entries(known.play === "patience" ? patience : reading)) {
  try {
    told[name] = await step();
  } catch (error) {
    console.error(`${name}: ${error?.stack ?? error}`);
    if (error?.cause) console.error(JSON.stringify(error.cause, null, 2));
    process.exit(1);
  }
}
console.log(JSON.stringify(told));
