// An agent watched by Langfuse's JavaScript SDK: its wrapper of openai and its own spans. Sends to LANGFUSE_BASE_URL.
// run.py starts it.
import { answer, installed, lookupOrder, model, question } from "./work.mjs";

const { NodeTracerProvider } = installed("@opentelemetry/sdk-trace-node");
const { LangfuseSpanProcessor } = installed("@langfuse/otel");
const { startActiveObservation } = installed("@langfuse/tracing");
const { observeOpenAI } = installed("@langfuse/openai");

const provider = new NodeTracerProvider({ spanProcessors: [new LangfuseSpanProcessor()] });
provider.register();

const callTool = (name, input) => startActiveObservation(name, async (span) => {
  const output = await lookupOrder(input);
  span.update({ input, output });
  return output;
}, { asType: "tool" });

await startActiveObservation("support", async (span) => {
  const output = await answer(observeOpenAI(model()), callTool);
  span.update({ input: question, output });
  console.log(output);
}, { asType: "agent" });
await provider.shutdown();
