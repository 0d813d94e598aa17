"""An agent watched by OpenTelemetry: started by `opentelemetry-instrument`, which finds the installed instrumentation of
openai and sends to OTEL_EXPORTER_OTLP_ENDPOINT. The spans of the agent and its tool are the program's own, by the
semantic conventions. run.py starts it, once with each of the two instrumentations."""
import json

from opentelemetry import trace

import work

tracer = trace.get_tracer("support")


def call_tool(name, arguments, call_id):
    attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name, "gen_ai.tool.call.id": call_id,
                  "gen_ai.tool.call.arguments": json.dumps(arguments)}
    with tracer.start_as_current_span(f"execute_tool {name}", attributes=attributes) as span:
        result = work.lookup_order(**arguments)
        span.set_attribute("gen_ai.tool.call.result", json.dumps(result))
        return result


with tracer.start_as_current_span("invoke_agent support", attributes={"gen_ai.operation.name": "invoke_agent",
                                                                      "gen_ai.agent.name": "support"}):
    print(work.answer(work.model(), call_tool))
