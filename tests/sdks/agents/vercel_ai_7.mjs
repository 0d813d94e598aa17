// An agent of the Vercel AI SDK 7, whose telemetry is a package of its own, through OpenTelemetry's exporter in OTLP
// JSON. Sends to OTEL_EXPORTER_OTLP_ENDPOINT. run.py starts it.
import { pathToFileURL } from "node:url";
import { installed, lookupOrder, question } from "./work.mjs";

// Packages that are modules only, by the file that they name as their entry.
async function module(name) {
  const root = `${process.env.MODULES}/node_modules/${name}/`;
  const { exports: entries, main, module: entry } = installed(`${root}package.json`);
  const file = entries?.["."]?.import ?? entries?.["."]?.default ?? entry ?? main;
  return import(pathToFileURL(root + (file.default ?? file)));
}

const { NodeTracerProvider, BatchSpanProcessor } = installed("@opentelemetry/sdk-trace-node");
const { OTLPTraceExporter } = installed("@opentelemetry/exporter-trace-otlp-http");
const { generateText, registerTelemetry, stepCountIs, tool } = await module("ai");
const { OpenTelemetry } = await module("@ai-sdk/otel");
const { createOpenAICompatible } = await module("@ai-sdk/openai-compatible");
const { z } = installed("zod");

const provider = new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())] });
provider.register();
registerTelemetry(new OpenTelemetry());

const scripted = createOpenAICompatible({ name: "scripted", baseURL: process.env.MODEL_URL, apiKey: "none" });
const { text } = await generateText({
  model: scripted("gpt-4o-mini"),
  prompt: question,
  stopWhen: stepCountIs(5),
  tools: {
    lookup_order: tool({
      description: "Says where an order is.",
      inputSchema: z.object({ order: z.string(), note: z.string() }),
      execute: async (input) => lookupOrder(input),
    }),
  },
  telemetry: { functionId: "support" },
});
console.log(text);
await provider.shutdown();
