"""An agent of openai-agents, watched by OpenInference. Sends to OTEL_EXPORTER_OTLP_ENDPOINT. run.py starts it."""
import os

from agents import Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, RunConfig, Runner, function_tool
from openinference.instrumentation.openai_agents import OpenAIAgentsInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

import work

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
OpenAIAgentsInstrumentor().instrument(tracer_provider=provider)


@function_tool
def lookup_order(order: str, note: str) -> dict:
    """Says where an order is."""
    return work.lookup_order(order, note)


kind = OpenAIResponsesModel if os.environ["API"] == "responses" else OpenAIChatCompletionsModel
model = kind(work.MODEL, work.model(work.openai.AsyncOpenAI))
agent = Agent(name="support", instructions="Help.", model=model, tools=[lookup_order])
print(Runner.run_sync(agent, work.QUESTION, run_config=RunConfig(workflow_name="support")).final_output)
provider.shutdown()
