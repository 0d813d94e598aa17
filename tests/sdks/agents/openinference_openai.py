"""An agent watched by OpenInference: its instrumentation of openai, and its own tracer for the agent and the tool.
Sends to OTEL_EXPORTER_OTLP_ENDPOINT. run.py starts it."""
from openinference.instrumentation import TracerProvider
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import BatchSpanProcessor

import work

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
OpenAIInstrumentor().instrument(tracer_provider=provider)
tracer = provider.get_tracer("support")


def call_tool(name, arguments, call_id):
    with tracer.start_as_current_span(name, openinference_span_kind="tool") as span:
        span.set_tool(name=name, parameters={}, description="Says where an order is.")
        span.set_input(arguments)
        result = work.lookup_order(**arguments)
        span.set_output(result)
        return result


with tracer.start_as_current_span("support", openinference_span_kind="agent") as agent:
    agent.set_input(work.QUESTION)
    said = work.answer(work.model(), call_tool)
    agent.set_output(said)
print(said)
provider.shutdown()
