"""An agent of Pydantic AI, watched by Logfire, which sends to OTEL_EXPORTER_OTLP_ENDPOINT. run.py starts it."""
import logfire
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

import work

logfire.configure(send_to_logfire=False, console=False, service_name="shop")
logfire.instrument_pydantic_ai()

provider = OpenAIProvider(openai_client=work.model(work.openai.AsyncOpenAI))
agent = Agent(OpenAIChatModel(work.MODEL, provider=provider), name="support")


@agent.tool_plain
def lookup_order(order: str, note: str) -> dict:
    """Says where an order is."""
    return work.lookup_order(order, note)


print(agent.run_sync(work.QUESTION).output)
logfire.shutdown()
