// An agent watched by LangSmith's JavaScript SDK: its wrapper of openai and its own upload of runs. Sends to
// LANGSMITH_ENDPOINT. run.py starts it.
import { answer, installed, lookupOrder, model } from "./work.mjs";

const { Client } = installed("langsmith");
const { traceable } = installed("langsmith/traceable");
const { wrapOpenAI } = installed("langsmith/wrappers");

const client = new Client();
const lookup = traceable(async (input) => lookupOrder(input), { name: "lookup_order", run_type: "tool", client });
const support = traceable((question) => answer(wrapOpenAI(model(), { client }), (name, input) => lookup(input)),
                          { name: "support", run_type: "chain", client });
console.log(await support("Where is my order?"));
await client.awaitPendingTraceBatches();
