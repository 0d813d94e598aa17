// An agent of the Vercel AI SDK, watched by its own telemetry through OpenTelemetry's exporter in OTLP JSON. Sends to
// OTEL_EXPORTER_OTLP_ENDPOINT. run.py starts it.
import { installed, lookupOrder, question } from "./work.mjs";

const { NodeTracerProvider, BatchSpanProcessor } = installed("@opentelemetry/sdk-trace-node");
const { OTLPTraceExporter } = installed("@opentelemetry/exporter-trace-otlp-http");
const { generateText, stepCountIs, tool } = installed("ai");
const { createOpenAICompatible } = installed("@ai-sdk/openai-compatible");
const { z } = installed("zod");

const provider = new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())] });
provider.register();

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
  experimental_telemetry: { isEnabled: true, functionId: "support" },
});
console.log(text);
await provider.shutdown();
