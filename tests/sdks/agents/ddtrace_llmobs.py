"""An agent watched by Datadog's LLM Observability: ddtrace with its integration of openai. Sends to DD_TRACE_AGENT_URL,
as to an agent of Datadog's. run.py starts it, once with traces of the application and once without them."""
from ddtrace.llmobs import LLMObs

import work

LLMObs.enable(ml_app="shop")


def call_tool(name, arguments, call_id):
    with LLMObs.tool(name=name) as span:
        result = work.lookup_order(**arguments)
        LLMObs.annotate(span=span, input_data=arguments, output_data=result)
        return result


with LLMObs.agent(name="support") as span:
    said = work.answer(work.model(), call_tool)
    LLMObs.annotate(span=span, input_data=work.QUESTION, output_data=said)
print(said)
LLMObs.flush()
