// The work that the JavaScript agents here do, as work.py does it. Not run by itself; the agents beside it
// import it. The address of the scripted model comes in MODEL_URL, the seconds that the tool takes in TOOL_S.
import { createRequire } from "node:module";

// Packages are looked for where run.py installed them, not beside this file.
export const installed = createRequire(process.env.MODULES + "/");

export const question = "Where is my order?";

export async function lookupOrder({ order }) {
  await new Promise((resolve) => setTimeout(resolve, 1000 * process.env.TOOL_S));
  return { order, state: "shipped" };
}

const tools = [{
  type: "function",
  function: {
    name: "lookup_order", description: "Says where an order is.",
    parameters: { type: "object", properties: { order: { type: "string" }, note: { type: "string" } } },
  },
}];

export function model() {
  const { OpenAI } = installed("openai");
  return new OpenAI({ baseURL: process.env.MODEL_URL, apiKey: "none", maxRetries: 0 });
}

// The model's last words. `callTool(name, arguments)` does a tool call, and tells whoever watches.
export async function answer(client, callTool) {
  const messages = [{ role: "user", content: question }];
  for (;;) {
    const reply = await client.chat.completions.create({ model: "gpt-4o-mini", messages, tools });
    const message = reply.choices[0].message;
    if (!message.tool_calls?.length) return message.content;
    messages.push(message);
    for (const call of message.tool_calls) {
      const result = await callTool(call.function.name, JSON.parse(call.function.arguments));
      messages.push({ role: "tool", tool_call_id: call.id, content: JSON.stringify(result) });
    }
  }
}
