"""An agent watched by LangSmith's Python SDK: its wrapper of openai and its decorator, with its own upload of runs.
Sends to LANGSMITH_ENDPOINT. run.py starts it."""
from langsmith import Client, traceable
from langsmith.wrappers import wrap_openai

import work

client = Client()


@traceable(run_type="tool", name="lookup_order", client=client)
def lookup_order(order, note):
    return work.lookup_order(order, note)


@traceable(run_type="chain", name="support", client=client)
def support(question):
    return work.answer(wrap_openai(work.model(), tracing_extra={"client": client}),
                       lambda name, arguments, call_id: lookup_order(**arguments), question)


print(support(work.QUESTION))
client.flush()
