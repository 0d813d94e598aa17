"""An agent watched by Langfuse's Python SDK: its wrapper of openai and its decorator. Sends to LANGFUSE_HOST. run.py
starts it."""
from langfuse import get_client, observe
from langfuse.openai import OpenAI

import work


@observe(name="lookup_order", as_type="tool")
def lookup_order(order, note):
    return work.lookup_order(order, note)


@observe(name="support", as_type="agent")
def support(question):
    return work.answer(work.model(OpenAI), lambda name, arguments, call_id: lookup_order(**arguments), question)


print(support(work.QUESTION))
get_client().flush()
