"""An agent of LangChain, watched by OpenInference. Sends to OTEL_EXPORTER_OTLP_ENDPOINT. run.py starts it."""
import os

from langchain.agents import create_agent
from langchain_openai import ChatOpenAI
from openinference.instrumentation.langchain import LangChainInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

import work

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
LangChainInstrumentor().instrument(tracer_provider=provider)


def lookup_order(order: str, note: str) -> dict:
    """Says where an order is."""
    return work.lookup_order(order, note)


model = ChatOpenAI(model=work.MODEL, base_url=os.environ["MODEL_URL"], api_key="none", max_retries=0,
                   use_responses_api=os.environ["API"] == "responses")
agent = create_agent(model, [lookup_order], name="support")
print(agent.invoke({"messages": [{"role": "user", "content": work.QUESTION}]})["messages"][-1].content)
provider.shutdown()
